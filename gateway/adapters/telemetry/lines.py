"""Writes log lines beside the event loop: a reader of the log that has stopped must not stop the gateway."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_LIMIT = 10_000
_PAUSE = 0.05


class LineWriter:
    """Hands lines to `write` in a thread of its own, many at once. Keeps at most `limit` lines; further ones are dropped.

    `dropped` counts them. `write` takes the bytes of whole lines and may block.
    """

    def __init__(self, write: Callable[[bytes], object], limit: int = _LIMIT) -> None:
        self._write = write
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def line(self, line: bytes) -> None:
        """Queues one line, without its newline. Never waits."""
        if len(self._lines) >= self._limit:
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, timeout: float = 2.0) -> None:
        """Writes what is queued, waiting at most `timeout` seconds for a reader that has stopped."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            # Gathers what comes in a short while into one write: waking this thread costs more than a line does.
            self._closing.wait(_PAUSE)
            self._wake.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        if lines:
            try:
                self._write(b"\n".join(lines) + b"\n")
            except OSError:
                self.dropped += len(lines)
