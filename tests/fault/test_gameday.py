"""Every row of the game day in its short form: real processes, real sockets, neighbours under load."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.gameday.fault import Fault
from cli.gameday.faults import all_faults
from cli.gameday.run import Day
from cli.gameday.verdict import Verdict

pytestmark = pytest.mark.timeout(240)


class Running:
    """A day whose rows are judged one at a time, on one event loop."""

    def __init__(self, faults: list[Fault], logs: Path) -> None:
        self._runner = asyncio.Runner()
        self._day = Day(faults, short=True, logs=logs, tell=lambda _fault, _text: None)

    def judge(self, fault: Fault) -> None:
        row = self._runner.run(self._day.judge(fault))
        if row.verdict is Verdict.NOT_RUN:
            pytest.skip("; ".join(row.notes))
        assert row.verdict is Verdict.CONTAINED, "\n".join(row.problems)

    def close(self) -> None:
        self._runner.run(self._day.close())
        self._runner.close()


@pytest.fixture(scope="module")
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One day for the rows that were selected: the instance which they share serves what they need and nothing else."""
    chosen = [
        item.callspec.params["fault"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_the_fault_is_contained
    ]
    running = Running(chosen, tmp_path_factory.mktemp("logs"))
    yield running
    running.close()


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: f"{fault.number}-{fault.name}")
def test_the_fault_is_contained(day: Running, fault: Fault) -> None:
    day.judge(fault)
