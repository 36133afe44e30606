"""What a process prints, as lines in the log: read slowly enough that a flood costs the host little."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import monotonic

_READ = 64 * 1024
_PAUSE = 0.01
_LINE = 4096
_LINES_AT_ONCE = 50
"""Lines that reach the log from one read; with the pause between reads at most 5,000 a second."""
BURST, RATE = 1024**2, 64 * 1024
"""Bytes of lines that reach the log at once, and in a second from then on."""
_QUIET = BURST // 16
"""Bytes that must have come together again before anything is logged after a burst: one count in a second, not in each read."""


class Output:
    """Reads the pipe `fd`, which it owns, until its end. `line` takes one line of text; what is too much is counted. `time` is
    in seconds."""

    def __init__(self, fd: int, line: Callable[[str], None], time: Callable[[], float] = monotonic) -> None:
        self._fd = fd
        self._line = line
        self._time = time
        self._room = float(BURST)
        self._at = time()
        self._left_out = 0
        self._rest = b""
        self._resume: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._readable)

    def close(self) -> None:
        """Takes what is there and stops."""
        if self._fd < 0:
            return
        self._take()
        self._stop()

    def _readable(self) -> None:
        self._loop.remove_reader(self._fd)
        if self._take():
            self._resume = self._loop.call_later(_PAUSE, self._loop.add_reader, self._fd, self._readable)
        else:
            self._stop()

    def _take(self) -> bool:
        """Logs one read; False at the end of the pipe."""
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return True
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LINE or not data:
            lines.append(self._rest)
            self._rest = b""
        self._log([line for line in lines if line])
        return bool(data)

    def _log(self, lines: list[bytes]) -> None:
        self._refill()
        if self._left_out and self._room < _QUIET:
            self._left_out += len(lines)
            return
        self._count()
        for done, line in enumerate(lines):
            if done == _LINES_AT_ONCE or self._room <= 0:
                self._left_out = len(lines) - done
                break
            self._say(line[:_LINE].decode(errors="replace"))
        if self._room > 0:
            self._count()

    def _refill(self) -> None:
        now = self._time()
        self._room = min(BURST, self._room + (now - self._at) * RATE)
        self._at = now

    def _count(self) -> None:
        if self._left_out:
            self._say(f"… {self._left_out} more lines were left out")
            self._left_out = 0

    def _say(self, text: str) -> None:
        self._room -= len(text) + 1
        self._line(text)

    def _stop(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1
        if self._rest:
            self._log([self._rest])
            self._rest = b""
        self._count()
