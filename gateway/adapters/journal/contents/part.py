"""What is kept of the bytes that a call carried: the content part, as the target's configuration asks for it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

from firebreak.v1 import record_pb2

from gateway.adapters.journal.contents import masking
from gateway.adapters.journal.contents.messages import answer_type, known, request_type
from gateway.adapters.journal.rows import part
from gateway.call import Call
from gateway.config import Recorded, Recording
from gateway.errors import CallError
from gateway.service import Finish
from gateway.wire import DETAILS_KEY, finish_of

Apart = list[tuple[bytes, bytes]]
"""Large contents, each behind the SHA-256 that it is kept under."""

_DEFAULT = Recorded()
_NOTHING = Recorded(requests=Recording.NONE, answers=Recording.NONE)

_NAMES = {
    Recording.FULL: record_pb2.RECORDING_FULL,
    Recording.MASKED: record_pb2.RECORDING_MASKED,
    Recording.HASHED: record_pb2.RECORDING_HASHED,
    Recording.NONE: record_pb2.RECORDING_NONE,
}


class Contents:
    """Makes content parts. Contents larger than `inline` bytes go apart; `salt` keys what is only hashed."""

    def __init__(self, inline: int, salt: bytes, entropy: Callable[[int], bytes]) -> None:
        self._inline = inline
        self._salt = salt
        self._entropy = entropy

    def part(self, call: Call, outcome: Finish | BaseException | None) -> tuple[bytes, Apart]:
        """The content part of `call`, which ended with `outcome`, or goes on when that is None; and what is kept apart."""
        facts, asked = call.facts, _asked_for(call)
        apart: Apart = []
        content: Any = record_pb2.RecordedContent()

        request, streamed = content.request, call.method.streams_request
        refused = (
            not call.request and not streamed and facts.request_bytes > 0
        )  # for its size, which is all that is kept
        request.size = facts.request_bytes if streamed or refused else len(call.request)
        request.count = facts.requests if streamed else 1
        request.cut = facts.asks_cut or refused
        sent = facts.asks if streamed or refused else [call.request]
        self._keep(request, asked.requests, sent, request_type(call.method.name), asked.mask, apart)

        answers, passed = content.answers, facts.answers
        # Forward counts what passed; the gateway's own services answer without it.
        answers.size = max(facts.response_bytes, sum(map(len, passed)))
        answers.count = max(facts.events, len(passed))
        answers.cut = facts.answers_cut
        self._keep(answers, asked.answers, passed, answer_type(call.method.name), asked.mask, apart)

        if outcome is not None:
            _tell(content, outcome, call, asked)
        return part(content.SerializeToString(), self._entropy), apart

    def _keep(
        self,
        recorded: Any,
        recording: Recording,
        passed: Sequence[bytes],
        kind: Any,
        names: Sequence[str],
        apart: Apart,
    ) -> None:
        """Puts into the RecordedPart `recorded` what is kept of the messages that `passed`, which are of type `kind`."""
        recorded.recording = _NAMES[recording]
        if recording is Recording.NONE or (recorded.count and not passed):
            return
        kept: Sequence[bytes] | None = passed
        if recording is Recording.HASHED:
            if not recorded.cut:
                recorded.digest = hmac.digest(self._salt, _joined(passed), hashlib.sha256)
            return
        if recording is Recording.MASKED:
            kept = masking.messages(kind, passed, names)
        if kept is None:
            return
        recorded.exact = kept == passed and len(passed) == recorded.count
        body = _joined(kept)
        if len(body) <= self._inline:
            recorded.inline = body
        else:
            recorded.sha256 = hashlib.sha256(body).digest()
            apart.append((recorded.sha256, body))


def _joined(messages: Sequence[bytes]) -> bytes:
    body: bytes = record_pb2.RecordedMessages(messages=messages).SerializeToString()
    return body


def _asked_for(call: Call) -> Recorded:
    """The target's configuration. Where there is no target: the default for somebody known, else nothing but sizes."""
    facts = call.facts
    if facts.resolved is not None:
        return facts.resolved.config.journal
    return _DEFAULT if facts.principal and known(call.method.name) else _NOTHING


def _tell(content: Any, outcome: Finish | BaseException, call: Call, asked: Recorded) -> None:
    """How the call ended in words. They may repeat what the answers hold, so they are treated as those are."""
    if asked.answers not in (Recording.FULL, Recording.MASKED):
        return
    if isinstance(outcome, CallError):
        outcome = finish_of(outcome, call.id)
    if not isinstance(outcome, Finish):
        return
    message = outcome.message.encode("utf-8", "replace").decode()
    details = next((value for key, value in outcome.trailers if key == DETAILS_KEY and isinstance(value, bytes)), b"")
    if asked.answers is Recording.MASKED and (message or details):
        message, details = masking.status(message, details, asked.mask)
    content.status_message, content.status_details = message, details
