"""What the end of a probe proves."""

from __future__ import annotations

from gateway.call import Call
from gateway.config import AllowProbe, DenyProbe
from gateway.errors import CallError, Code, Reason
from gateway.proof import Verdict
from gateway.proving.messages import read
from gateway.routes import Method
from gateway.service import Finish

FAILED = "the gateway could not try it; its log says why"
_TEXT = 300

_FAULTS = frozenset(
    {
        Reason.ARGUMENTS_INVALID,
        Reason.REQUEST_MALFORMED,
        Reason.REQUEST_TOO_LARGE,
        Reason.RESPONSE_TOO_LARGE,
        Reason.CONTRACT_VIOLATED,
    }
)
"""Refusals that no waiting mends; any other one says only that it could not be tried now."""


def of_deny(call: Call, probe: DenyProbe, outcome: Finish | Exception) -> tuple[Verdict, str]:
    """What it proves that the deny probe `call` ended so; the words are empty for what is held."""
    judged = call.facts.judged
    if judged is not None and not judged.allow:
        return Verdict.HELD, ""
    # What came after policy had allowed it counts for nothing: a schema is the service's own word.
    if judged is not None:
        rules = ", ".join(call.facts.rules) or "a rule without a name"
        return Verdict.BROKEN, f"policy allows {probe.as_} to {probe.action} it, by {rules}; narrow that in policy"
    if isinstance(outcome, CallError) and outcome.reason in _FAULTS:
        return Verdict.BROKEN, f"it is refused before policy is asked, so it proves nothing: {_short(outcome.message)}"
    return Verdict.UNKNOWN, _why(outcome)


def of_allow(
    method: Method, probe: AllowProbe, outcome: Finish | Exception, answer: list[bytes]
) -> tuple[Verdict, str]:
    """What it proves that an allow probe ended so, with these messages as its answer."""
    reason = getattr(outcome, "reason", "")
    if reason == Reason.POLICY_DENIED:
        why = _short(str(outcome))
        return Verdict.BROKEN, f"policy denies it to {probe.as_}: {why} Grant it in policy, or change the probe"
    if reason in _FAULTS or (isinstance(outcome, Finish) and outcome.code is Code.INVALID_ARGUMENT):
        return Verdict.BROKEN, f"it is refused: {_short(_words(outcome))} Change the probe, or mend the service"
    if not isinstance(outcome, Finish) or outcome.code is not Code.OK:
        return Verdict.UNKNOWN, _why(outcome)
    said = read(method, answer[0])
    if said.failure:
        return Verdict.BROKEN, f"the tool answers {_short(said.failure)}; change the probe's args, or mend the tool"
    if probe.expect not in said.text:
        expected = _short(probe.expect)
        return Verdict.BROKEN, f'its answer is without "{expected}"; mend the service, or what the probe expects'
    return Verdict.HELD, ""


def _why(outcome: Finish | Exception) -> str:
    """Why a probe could not be tried."""
    return _short(_words(outcome)) or "it got no answer"


def _words(outcome: Finish | Exception) -> str:
    if isinstance(outcome, Finish):
        return outcome.message or outcome.code.name
    return outcome.message if isinstance(outcome, CallError) else FAILED


def _short(text: str) -> str:
    """One line that fits a screen."""
    line = " ".join(text.split())
    return line if len(line) <= _TEXT else line[: _TEXT - 1] + "…"
