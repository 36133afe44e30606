"""The day: which faults, on which instances, in which order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cli.gameday.fault import Fault, NotRun
from cli.gameday.instance import ROOT
from cli.gameday.rounds import Rounds
from cli.gameday.scorecard import Row, Scorecard
from cli.gameday.stage import Stage, together
from cli.gameday.verdict import Verdict

Tell = Callable[[Fault | None, str], None]
"""Takes the fault that is being caused, if one is, and how far it is."""


class Day:
    """Causes faults one after the other. `faults` are all that the shared instance will have to serve.

    `logs` is where the logs of instances are kept on which something leaked. Close it, whatever happens.
    """

    def __init__(self, faults: Sequence[Fault], *, short: bool, logs: Path, tell: Tell) -> None:
        self._faults = faults
        self._short = short
        self._logs = logs
        self._tell = tell
        self._shared: Stage | None = None
        self.growth: float | None = None
        """MiB by which the shared instance's gateway was larger after the last of its rows than before the first."""

    async def judge(self, fault: Fault) -> Row:
        """Causes one fault and judges it. Raises AssertionError where the shared instance does not start."""
        if missing := [program for program in fault.needs if not _found(program)]:
            return _not_run(fault, f"needs {', '.join(missing)}, which is not installed here")
        try:
            return await (self._alone(fault) if fault.setting.own else self._together(fault))
        except NotRun as reason:
            return _not_run(fault, str(reason))

    async def close(self) -> None:
        """Ends the shared instance; the next fault that needs it starts another."""
        stage, self._shared = self._shared, None
        if stage is not None:
            self._tell(None, "stopping the shared instance")
            await stage.close()

    async def _together(self, fault: Fault) -> Row:
        if self._shared is None:
            self._tell(None, "starting the shared instance")
            settings = [one.setting for one in self._faults if not one.setting.own]
            self._shared = await _opened(Stage(together(settings), "shared"))
        row = await self._on(self._shared, fault)
        if self._shared.began is not None:
            self.growth = self._shared.gateway().memory - self._shared.began.memory
        return row

    async def _alone(self, fault: Fault) -> Row:
        self._tell(fault, "starting an instance of its own")
        try:
            stage = await _opened(Stage(fault.setting, str(fault.number)))
        except AssertionError as error:
            return Row(fault.number, fault.name, Verdict.LEAKED, fault.expected, problems=(str(error),))
        try:
            return await self._on(stage, fault)
        finally:
            await stage.close()

    async def _on(self, stage: Stage, fault: Fault) -> Row:
        def tell(text: str) -> None:
            self._tell(fault, text)

        row = await Rounds(stage, fault, self._short, fault.number, tell).row()
        if row.verdict is Verdict.LEAKED:
            stage.keep_logs(self._logs)
        return row


async def run(
    faults: Sequence[Fault], *, short: bool, logs: Path, tell: Tell, done: Callable[[Row], None]
) -> Scorecard:
    """Causes `faults`, those of the shared instance first; `done` takes each row when it is judged."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    day = Day(faults, short=short, logs=logs, tell=tell)
    rows: list[Row] = []
    try:
        for own in (False, True):
            for fault in faults:
                if fault.setting.own is own:
                    rows.append(await day.judge(fault))
                    done(rows[-1])
            await day.close()
    finally:
        await day.close()
    ordered = tuple(sorted(rows, key=lambda row: row.number))
    return Scorecard(started, version("firebreak"), short, ordered, day.growth)


async def _opened(stage: Stage) -> Stage:
    """Raises what `stage.open` raises; then nothing of it is left."""
    try:
        await stage.open()
    except BaseException:
        await stage.close()
        raise
    return stage


def _found(program: str) -> bool:
    return bool(shutil.which(program)) or (ROOT / ".firebreak/tools/bin" / program).exists()


def _not_run(fault: Fault, reason: str) -> Row:
    return Row(fault.number, fault.name, Verdict.NOT_RUN, fault.expected, notes=(reason,))
