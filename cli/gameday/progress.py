"""What is said while a day runs: a line for each row, and on a terminal what is going on now."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.markup import escape
from rich.status import Status

from cli.gameday.fault import Fault
from cli.gameday.scorecard import Row
from cli.gameday.verdict import Verdict
from cli.output import err

COLOURS = {Verdict.CONTAINED: "green", Verdict.LEAKED: "red", Verdict.NOT_RUN: "yellow"}


class Progress(AbstractContextManager["Progress"]):
    """Goes to standard error, so that standard output is the scorecard's alone."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._began = time.monotonic()
        self._status: Status | None = Status("", console=err) if err.is_terminal else None

    def __enter__(self) -> Progress:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, fault: Fault | None, text: str) -> None:
        """What goes on now."""
        if self._status is not None:
            about = f"{fault.number} {escape(fault.name)}: " if fault else ""
            self._status.update(f"[dim]{self._done}/{self._total}[/dim] {about}{escape(text)}")

    def done(self, row: Row) -> None:
        """One line for a row that is judged."""
        self._done += 1
        took, self._began = time.monotonic() - self._began, time.monotonic()
        colour = COLOURS[row.verdict]
        err.print(f"{row.number:3d}  [{colour}]{row.verdict:9}[/]  {escape(row.name)}  [dim]{took:.0f} s[/dim]")
        for problem in row.problems:
            err.print(f"     [red]{escape(problem)}[/red]")
        if row.verdict is Verdict.NOT_RUN:
            for note in row.notes:
                err.print(f"     {escape(note)}")
