"""`firebreak journal tail`: the latest calls, one a line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.journal import filters, lines, objects
from cli.journal.opening import CONFIG, AsJson, Config, reading
from cli.journal.output import write_object
from cli.output import err

if TYPE_CHECKING:
    from gateway.adapters.journal.reading.reader import Reader, Record
    from gateway.adapters.journal.store import Where

POLL = 0.3
"""Seconds between two looks for new records."""


def tail(
    count: Annotated[int, typer.Option("--lines", "-n", help="How many to begin with.", min=0)] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay, and show calls as they end.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="With all that the journal says of itself.")] = False,
    principal: filters.Principal = "",
    target: filters.Target = "",
    outcome: filters.Outcome = "",
    since: filters.Since = "",
    until: filters.Until = "",
    config: Config = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show the latest calls, one a line, the newest last.

    Example: firebreak journal tail -f --target python --outcome PERMISSION_DENIED
    """
    kinds = _kinds(everything, only_calls=bool(principal or target or outcome))
    where = filters.where(principal, target, outcome, since, until, kinds)
    show = _show_object if as_json else lines.Lines().show
    with reading(config) as journal:
        ends = journal.ends()
        found = journal.latest(where, count, ends) if count else []
        for record in found:
            show(record)
        if follow:
            for record in following(journal, where, ends, time.sleep):
                show(record)
        elif not found:
            err.print("no call on record matches")


def following(journal: Reader, where: Where, ends: dict[str, int], wait: Callable[[float], None]) -> Iterator[Record]:
    """Records behind `ends` that match, as they are written; `wait` is called with seconds when there is none."""
    from gateway.adapters.journal.reading.reader import matches

    while True:
        found = journal.after(ends)
        # A call that was let through is shown when it ends.
        yield from (record for record in found if record.ended and matches(where, record))
        if not found:
            wait(POLL)


def _kinds(everything: bool, only_calls: bool) -> tuple[str, ...]:
    """Calls, and of the journal itself what one should not miss: its starts and ends, what it lost, a clock that jumped."""
    from gateway.adapters.journal import rows

    calls = (rows.CALL, rows.OPENED)
    if everything:
        return (*calls, *sorted(rows.CONTROL))
    return calls if only_calls else (*calls, rows.STARTED, rows.STOPPED, rows.LOST, rows.CLOCK)


def _show_object(record: Record) -> None:
    write_object(objects.as_object(record))
