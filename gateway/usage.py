"""What a model's call used: as the model reports it, by size where it does not; and how that is shown."""

from __future__ import annotations

from typing import Any

from gateway.call import Call, Facts
from gateway.core.usage import Sum, UsageTable, Used
from gateway.errors import CallError, Code, Reason
from gateway.routes import Action, Kind, Method
from gateway.service import Finish

_BYTES_A_TOKEN = 3
"""Most texts have more to a token: what nobody reported should not come cheaper than what was."""

_MOST = 10**9
"""No call uses more. A service that claims so is wrong, and must not spoil the sums for good."""


def is_metered(method: Method) -> bool:
    """Whether calls of `method` use a model's tokens."""
    return method.kind is Kind.MODEL and method.action is Action.CALL


def read(call: Call, said: Any) -> None:
    """Puts on record what `said`, a message of a model's answer as it was parsed, tells of tokens."""
    facts, streams = call.facts, call.method.streams_response
    if streams and said.WhichOneof("event") == "chunk":
        facts.answer_text += _text(said.chunk)
        return
    whole = said.finished if streams else said.message
    facts.answer_text = max(facts.answer_text, _text(whole))
    facts.used = _reported(whole)


def settle(call: Call, ended: Finish | BaseException) -> Used | None:
    """What a call of a model that `ended` so used; None where it cannot have used anything.

    Nothing was used where the call never reached the target, or where the target could not be reached or refused without
    a word. Of what the model did not report the size of the request counts, and that of the answer as far as it came. A call
    that was cut off before anything came counts as the longest answer that the target allows.
    """
    facts = call.facts
    if facts.used is not None:
        return facts.used
    if not facts.attempts or _refused(facts, ended):
        return None
    assert call.target is not None  # Validate comes first
    longest = call.target.config.limits.tokens.answer or 0
    return Used(_tokens(len(call.request)), _tokens(facts.answer_text) if facts.events else longest, estimated=True)


def totals(table: UsageTable) -> list[dict[str, Any]]:
    """The sums of each model, for /status: a JSON array, sorted by name."""
    return [{"target": name, **_shown(each)} for name, each in sorted(table.models.items())]


def report(table: UsageTable) -> dict[str, Any]:
    """All that is known, as a JSON object: it names principals."""
    pairs = [{"principal": who, "target": name, **_shown(each)} for (who, name), each in sorted(table.pairs.items())]
    return {"models": totals(table), "principals": pairs, "forgotten": table.forgotten}


def _shown(each: Sum) -> dict[str, int]:
    return {
        "calls": each.calls,
        "input_tokens": each.input,
        "output_tokens": each.output,
        "estimated_calls": each.estimated,
    }


def _reported(message: Any) -> Used | None:
    """Every prompt has tokens: a report without any is none."""
    used = message.usage
    if used.input_tokens <= 0 or used.output_tokens < 0:
        return None
    return Used(min(used.input_tokens, _MOST), min(used.output_tokens, _MOST))


def _text(message: Any) -> int:
    """Bytes of what a model wrote: texts, other content and requests for tools."""
    content = sum(len(block.json) or len(block.text.encode()) for block in message.content)
    return content + sum(len(request.name) + len(request.args_json) for request in message.tool_requests)


def _tokens(size: int) -> int:
    return -(-size // _BYTES_A_TOKEN)


def _refused(facts: Facts, ended: Finish | BaseException) -> bool:
    """Whether the target said nothing at all, by its own doing: no caller can bring that about to go uncounted."""
    if facts.events:
        return False
    if isinstance(ended, Finish):
        return ended.code is not Code.OK
    return isinstance(ended, CallError) and ended.reason is Reason.TARGET_UNAVAILABLE
