"""One line for one record, as `firebreak journal tail` shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.journal import look, words
from cli.output import out

if TYPE_CHECKING:
    from gateway.adapters.journal.reading.reader import Record

_TARGET, _CALLER, _LEAST, _WIDEST = 22, 18, 24, 200
_ID = 16
"""Digits of a call's id that a line shows: its time, and enough of the rest to tell calls of one millisecond apart."""

_WITH_CALLER = 112
"""Columns behind the time from which on there is room for who called."""


class Lines:
    """Prints one line for each record. On a terminal the day stands above its lines, and a line is what fits of it; a file or
    a program gets all of it."""

    def __init__(self) -> None:
        self._day = ""

    def show(self, record: Record) -> None:
        line = (
            control(record)
            if is_control(record)
            else call(record, out.width - len("00:00:00") if out.is_terminal else _WIDEST)
        )
        day, time = look.when(record.header.at)
        if not out.is_terminal:
            out.print(Text.assemble((f"{day} {time}", "dim"), line))
            return
        if day != self._day:
            out.print(Text(day, style="bold dim"))
            self._day = day
        out.print(Text.assemble((time, "dim"), line), soft_wrap=False, no_wrap=True, overflow="ellipsis")


def is_control(record: Record) -> bool:
    """Whether the record tells about the journal itself."""
    return record.header.kind in _CONTROL


def call(record: Record, width: int) -> Text:
    """How it ended, what was called, how long it took, by whom, and what was said."""
    sign, colour = look.mark(record)
    header = record.header
    name = words.short(f"{look.target(record)} {look.method(header.method)}", _TARGET)
    line = Text().append(f" {sign} ", style=colour).append(f"{name:{_TARGET}}", style="bold")
    line.append(f" {look.took(record.took_ms):>9}")
    if width >= _WITH_CALLER:
        line.append(f"  {words.short(_caller(record), _CALLER):{_CALLER}}", style="cyan")
    line.append(f"  {header.call[:_ID]}  ", style="dim")
    if header.outcome != "OK":
        line.append(f"{look.outcome(record)}  ", style=colour)
    line.append_text(look.exchange(record, max(_LEAST, width - len(line))))
    line.rstrip()
    return line


def control(record: Record) -> Text:
    """What the journal says of itself."""
    header = record.header
    lost = header.kind == "lost"
    return Text(f" {'!' if lost else '·'} {_CONTROL[header.kind](header.facts)}", style="bold red" if lost else "blue")


def _caller(record: Record) -> str:
    return "(erased)" if record.person_erased else record.row.principal or "unknown"


def _started(facts: Mapping[str, Any]) -> str:
    who = f"command {facts['command']}" if "command" in facts else f"gateway {facts.get('gateway', '')}".strip()
    return f"{who} began to write, on {facts.get('host', 'an unknown host')}, pid {facts.get('pid', '?')}"


def _lost(facts: Mapping[str, Any]) -> str:
    return (
        f"{words.counted(int(facts.get('count', 0)), 'call')} went unrecorded: {facts.get('why', 'nobody knows why')}"
    )


def _clock(facts: Mapping[str, Any]) -> str:
    behind = (int(facts.get("at", 0)) - int(facts.get("wall", 0))) / 1000
    return f"the clock went back by {look.took(behind)}; times stand still until it has caught up"


def _cleared(facts: Mapping[str, Any]) -> str:
    rows = sum(last - first + 1 for _, first, last in facts.get("spans", ()))
    parts = " and ".join(facts.get("parts", ()))
    return f"{parts} of {words.counted(rows, 'row')} erased: {WHY.get(facts.get('why', ''), 'no reason given')}"


WHY = {"age": "older than retention allows", "size": "the journal was too large", "person": "a person's wish"}
"""Why something was erased, in words."""

_CONTROL: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "started": _started,
    "stopped": lambda _: "stopped writing",
    "joined": lambda facts: f"saw where {words.counted(len(facts.get('heads', {})), 'other chain')} ended",
    "lost": _lost,
    "clock": _clock,
    "pruned": lambda facts: f"rows of {words.counted(len(facts.get('ends', {})), 'chain')} dropped from its start",
    "cleared": _cleared,
}
