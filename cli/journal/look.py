"""How a record looks: marks, colours, times, and what of its content can be told in a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from cli.journal import words

if TYPE_CHECKING:
    from gateway.adapters.journal.contents.decode import Part
    from gateway.adapters.journal.reading.reader import Record

GOOD, BAD, ODD = "green", "red", "yellow"
ARROW = " → "


def mark(record: Record) -> tuple[str, str]:
    """One character that says how the call ended, and its colour."""
    if not record.ended:
        return "?", ODD
    if record.header.outcome == "OK":
        return "✓", GOOD
    return ("–", ODD) if record.header.outcome == "CANCELLED" else ("✗", BAD)


def outcome(record: Record) -> str:
    """How the call ended, in the fewest words that tell it apart."""
    header = record.header
    return (header.reason or header.outcome) if record.ended else "did not end"


def method(name: str) -> str:
    """The method without its service, which the target tells: "Call"."""
    return name.rsplit("/", 1)[-1]


def target(record: Record) -> str:
    """Whom the call was for: a service, or where none was known what the method says."""
    header = record.header
    return header.target or ("gateway" if header.facts.get("action") == "gateway" else "-")


def when(micros: int) -> tuple[str, str]:
    """Local date, and time to the second."""
    local = datetime.fromtimestamp(micros // 1_000_000)
    return local.strftime("%Y-%m-%d"), local.strftime("%H:%M:%S")


def instant(micros: int) -> str:
    """Local time to the millisecond, with its offset."""
    exact = datetime.fromtimestamp(micros // 1_000_000).astimezone().replace(microsecond=micros % 1_000_000)
    return exact.isoformat(sep=" ", timespec="milliseconds")


def took(milliseconds: float | None) -> str:
    """A duration of any size in the same few characters."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10_000:
        return f"{milliseconds:,.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:,.1f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"


def question(record: Record) -> str:
    """What was asked, or why it cannot be told."""
    if (content := record.content) is None:
        return "(erased)" if record.content_erased else ""
    return _told(content.request, lambda messages: words.asked(record.header.method, messages[0]))


def answer(record: Record) -> str:
    """What came back: the answer, or the message that the call failed with."""
    if (content := record.content) is None:
        return ""
    if content.status_message:
        return words.line(content.status_message)
    return _told(content.answers, lambda messages: words.answered(record.header.method, messages))


def exchange(record: Record, length: int) -> Text:
    """Question and answer in one line of at most `length` characters; each gets what the other leaves."""
    asked, came = question(record), answer(record)
    if len(asked) + len(came) + len(ARROW) > length:
        half = (length - len(ARROW)) // 2
        asked = words.short(asked, max(half, length - len(ARROW) - len(came)))
        came = words.short(came, max(half, length - len(ARROW) - len(asked)))
    line = Text(asked)
    if asked and came:
        line.append(ARROW, style="dim")
    return line.append(came, style="" if record.header.outcome == "OK" else mark(record)[1])


def _told(part: Part, tell: Callable[[Sequence[bytes]], str]) -> str:
    if part.messages:
        return tell(part.messages)
    if not part.count:
        return ""
    why = "gone" if part.missing else "not kept" if part.cut else _WITHOUT.get(str(part.recording), "not kept")
    return f"({words.size(part.size)}, {why})"


_WITHOUT = {"hashed": "hashed", "none": "not recorded"}


def decision(record: Record) -> str:
    """What policy decided and by which rules; "" where it was not asked."""
    decided = record.header.facts.get("decision")
    if not decided:
        return ""
    rules = ", ".join(decided.get("rules", ())) or "no rule"
    return f"{'allowed' if decided.get('allow') else 'denied'} by {rules}"
