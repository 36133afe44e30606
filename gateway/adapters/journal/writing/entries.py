"""From a call that ended, or was let through, to the draft of its row. Runs in the journal's thread.

The header names no person: who it was, what policy saw and the words of its reasons go into the person part, which can be
erased and leaves the chain whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.adapters.journal.author import Drafted
from gateway.adapters.journal.contents.part import Contents
from gateway.adapters.journal.rows import CALL, Draft, part
from gateway.call import Attempt, Call, Facts
from gateway.errors import Code
from gateway.policy import Decision, Obligations
from gateway.service import Finish
from gateway.targets import Description

_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-")
_METHOD = 200
"""Characters of a method's name that are kept: an unknown one is whatever a stranger sent."""


@dataclass(slots=True)
class Entry:
    """What the journal's thread is handed. `kind` is rows.CALL or rows.OPENED; for the latter `outcome` is None.

    `wall` is seconds since 1970 and `ended` monotonic seconds, both of when the call ended or was let through.
    """

    kind: str
    call: Call
    outcome: Finish | BaseException | None
    code: Code
    reason: str
    wall: float
    ended: float


class Drafter:
    """Makes drafts. Contents larger than `inline` bytes are kept apart; `salt` keys what is only hashed."""

    def __init__(self, inline: int, salt: bytes, entropy: Callable[[int], bytes]) -> None:
        self._contents = Contents(inline, salt, entropy)
        self._entropy = entropy

    def draft(self, entry: Entry) -> Drafted:
        """The draft of `entry`'s row, and its large contents by their SHA-256."""
        call, facts, over = entry.call, entry.call.facts, entry.kind == CALL
        person = _person(call)
        content, apart = self._contents.part(call, entry.outcome)
        draft = Draft(
            int(entry.wall * 1_000_000),
            entry.kind,
            call.id,
            facts.parent,
            facts.session,
            facts.target,
            _clean(call.method.name[:_METHOD]),
            entry.code.name if over else "",
            entry.reason if over else "",
            facts.decision,
            _facts(entry),
        )
        if person:
            draft.principal = _clean(facts.principal)
            draft.origin = _clean(facts.chain[0]) if facts.chain else ""
            draft.person = part(_dumps(person), self._entropy)
        draft.content = content
        return draft, apart


def _facts(entry: Entry) -> dict[str, Any]:
    """What a header tells beside its columns; docs/journal.md explains each. What is empty is left out."""
    call, facts = entry.call, entry.call.facts
    method, first = call.method, facts.first_event
    lasted = entry.ended - facts.started
    found: dict[str, Any] = {
        "action": method.action.value,
        "kind": method.kind.value if method.kind else "",
        "depth": facts.depth,
        "listener": call.listener,
        "started": int((entry.wall - lasted) * 1_000_000),
        "ms": _ms(lasted) if entry.kind == CALL else None,
        "first_event_ms": None if first is None else _ms(first - facts.started),
        "events": facts.events,
        "request_bytes": facts.request_bytes,
        "response_bytes": facts.response_bytes,
        "attempts": [_attempt(attempt) for attempt in facts.attempts],
        "stages_us": {name: int(seconds * 1_000_000) for name, seconds in facts.stages.items()},
        "correlation": facts.correlation,
        "trace": _trace(call),
        "target": _target(facts.described),
        "decision": _decision(facts.judged, facts),
    }
    return {name: value for name, value in found.items() if value or value == 0}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    known = {"us": int(attempt.seconds * 1_000_000), "code": attempt.code.name}
    return {**known, "reason": _clean(attempt.reason)} if attempt.reason else known


def _trace(call: Call) -> str:
    header = call.header("traceparent")
    match = _TRACE.match(header) if header else None
    return match[1] if match else ""


def _target(described: Description | None) -> dict[str, str]:
    """Which software answered, in its own words."""
    if described is None:
        return {}
    own = {
        "version": _clean(described.version),
        "framework": _clean(described.framework),
        "framework_version": _clean(described.framework_version),
        "core_version": _clean(described.core_version),
        "python": _clean(described.python),
        "schema_sha256": _clean(described.schema_sha256),
    }
    return {name: value for name, value in own.items() if value}


def _decision(judged: Decision | None, facts: Facts) -> dict[str, Any]:
    """Without the reasons' messages, which may repeat what the caller sent."""
    if judged is None:
        return {}
    found: dict[str, Any] = {
        "allow": judged.allow,
        "rules": [_clean(rule) for rule in facts.rules],
        "revision": judged.revision,
        "engine": judged.engine,
    }
    if obligations := _obligations(judged.obligations):
        found["obligations"] = obligations
    return found


def _obligations(obligations: Obligations) -> dict[str, int]:
    """As the policy wrote them: only those that it set."""
    given = {} if obligations.timeout is None else {"timeout_ms": round(obligations.timeout * 1000)}
    return given if obligations.response_bytes is None else {**given, "response_bytes": obligations.response_bytes}


def _person(call: Call) -> dict[str, Any]:
    """Who it was and what policy saw. The arguments are content: readers put them back from the request."""
    facts, judged = call.facts, call.facts.judged
    person: dict[str, Any] = {}
    if facts.principal:
        person = {"principal": facts.principal, "issuer": facts.issuer, "chain": facts.chain}
    if call.peer.address:
        person["peer"] = call.peer.address
    if call.peer.uris:
        person["uris"] = call.peer.uris
    if facts.document is not None:
        person["input"] = {**facts.document, "args": None}
    if judged is not None and judged.reasons:
        person["reasons"] = [{"rule": r.rule, "message": r.message, "field": r.field} for r in judged.reasons]
    return person


def _dumps(person: dict[str, Any]) -> bytes:
    """Names sorted, so that the same input is the same bytes. Claims are a stranger's: no number or text stops the record."""
    try:
        return orjson.dumps(person, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        pass
    try:
        return json.dumps(person, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        return json.dumps({**person, "input": None}, sort_keys=True, separators=(",", ":")).encode()


def _clean(text: str) -> str:
    """`text` as both databases can keep it: without control characters, NUL and lone surrogates among them."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
