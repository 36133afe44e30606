"""What an agent's run was given and what it answered, byte for byte, or in words what was not kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.adapters.journal.contents.decode import Content, Part
from gateway.adapters.journal.reading.records import Record


class NotKeptError(Exception):
    """The journal does not hold these bytes exactly as they passed; the text says of which call and why."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call as it passed: the caller's bytes and the target's, byte for byte, and how it ended.

    `code` is a gRPC status code's name, `reason` an error reason or "", `details` the status's google.rpc.Status, serialized.
    `start` and `end` are microseconds from the start of the run.
    """

    call: str
    target: str
    method: str
    request: bytes
    answers: tuple[bytes, ...]
    code: str
    reason: str
    message: str
    details: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of an agent was given and what it answered: `own` is its call, `children` are the calls that it made
    itself, in the order in which they were started. What those caused in turn is theirs."""

    session: str
    own: Exchange
    children: tuple[Exchange, ...]


def exchange_of(record: Record, zero: int, why_erased: Callable[[Record], str]) -> Exchange:
    """The call of `record`; its times count from `zero`, microseconds since 1970. Raises NotKeptError, whose words for erased
    contents come from `why_erased`."""
    header, content = record.header, _content(record, why_erased)
    start = record.started_at - zero
    return Exchange(
        call=header.call,
        target=header.target,
        method=header.method,
        request=b"".join(_exact(record, "request is", content.request)),
        answers=_exact(record, "answers are", content.answers),
        code=header.outcome,
        reason=header.reason,
        message=content.status_message,
        details=content.status_details,
        start=start,
        end=start + round((record.took_ms or 0.0) * 1000),
    )


def _content(record: Record, why_erased: Callable[[Record], str]) -> Content:
    if not record.ended:
        raise _not_kept(record, "it did not end: the gateway stopped, or it still runs")
    if (content := record.content) is not None:
        return content
    if not record.content_erased:
        raise _not_kept(record, "nothing of its content was recorded")
    why = why_erased(record)
    raise _not_kept(record, f"its content was erased{f' ({why})' if why else ''}")


def _exact(record: Record, subject: str, part: Part) -> tuple[bytes, ...]:
    """The messages of one part, or NotKeptError. `subject` is "request is" or "answers are"."""
    if part.count == 0:
        return ()
    if part.missing:
        raise _not_kept(record, f"its {subject} gone from the journal")
    if part.cut:
        raise _not_kept(record, f"its {subject} left out, because memory for the journal had run out")
    if part.messages is None or not part.exact:
        word = part.recording.value
        raise _not_kept(record, f"its {subject} recorded as {word!r}, not 'full', by the target's `journal` settings")
    return part.messages


def _not_kept(record: Record, why: str) -> NotKeptError:
    header = record.header
    return NotKeptError(f"call {header.call} of {header.target or header.method} cannot be given again: {why}")
