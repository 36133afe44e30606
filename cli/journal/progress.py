"""Progress of long work, on a terminal only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.output import err

_T = TypeVar("_T")


class Counter:
    """Counts what passes and shows it."""

    def __init__(self, bar: Progress, what: str) -> None:
        self.count = 0
        self._started = time.monotonic()
        self._bar = bar
        self._task = bar.add_task(what, total=None)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def each(self, items: Iterator[_T]) -> Iterator[_T]:
        for item in items:
            self.count += 1
            if self.count % 100 == 0:
                self._bar.update(self._task, completed=self.count)
            yield item

    def at(self, done: int, total: int) -> None:
        """`done` of `total`; 0 for a total that is not known."""
        self._bar.update(self._task, completed=done, total=total or None)


@contextmanager
def counting(what: str) -> Iterator[Counter]:
    """A counter whose line is gone when the work is done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield Counter(bar, what)
