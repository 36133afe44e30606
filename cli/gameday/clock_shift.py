"""The gateway with a wall clock that jumps: `python -m cli.gameday.clock_shift FILE --config …`.

FILE holds seconds, which count on top of the machine's time. The monotonic clock stays as it is, as it does when a machine's
time is set. gRPC keeps the machine's time: it turns deadlines into wall time and back, on both sides by one clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

LOOK = 0.02
"""Seconds after which the file is read again."""


class Shifted:
    """A clock that goes wrong by what stands in `file`."""

    def __init__(self, file: Path, wall: Callable[[], float], clock: Callable[[], float]) -> None:
        self._file = file
        self._wall = wall
        self._clock = clock
        self._offset = 0.0
        self._next = -1.0

    def __call__(self) -> float:
        if (now := self._clock()) >= self._next:
            self._offset = float(self._file.read_text())
            self._next = now + LOOK
        return self._wall() + self._offset


def main() -> int:
    machine = time.time
    shifted = Shifted(Path(sys.argv[1]).resolve(), machine, time.monotonic)
    time.time = shifted
    # Imported now: some of it takes the clock while it is imported, all the rest from this module.
    from gateway import assembly
    from gateway.__main__ import main as gateway

    time.time = machine
    vars(assembly)["time"] = SimpleNamespace(time=shifted)
    return gateway(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
