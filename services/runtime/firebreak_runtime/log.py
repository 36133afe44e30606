"""The service's log: one JSON object a line. What foreign code prints comes through here too, and goes nowhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

Write = Callable[[str], Any]


class Log:
    """Writes events of one service. `wall` gives seconds since the epoch, `write` takes a line with its end."""

    def __init__(self, service: str, wall: Callable[[], float], write: Write = sys.stderr.write) -> None:
        self._service = service
        self._wall = wall
        self._write = write

    def info(self, event: str, **facts: Any) -> None:
        self._line("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        self._line("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        self._line("error", event, facts)

    def _line(self, level: str, event: str, facts: dict[str, Any]) -> None:
        time = datetime.fromtimestamp(self._wall(), timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": time, "level": level, "service": self._service, "event": event, **facts}
        self._write(json.dumps(line, default=str) + "\n")
