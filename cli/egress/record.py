"""The line that the log gets for each connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cli.egress.allow import Target

Say = Callable[[dict[str, object]], None]
"""Takes one line of the log."""


@dataclass
class Record:
    """What is known of a connection so far: never a path, a query or a header. `up` and `down` are bytes."""

    service: str
    started: float
    host: str = ""
    port: int = 0
    verdict: str = "refused"
    reason: str = "no request"
    up: int = 0
    down: int = 0

    def asked(self, target: Target) -> None:
        self.host, self.port = target.host, target.port

    def allowed(self) -> None:
        self.verdict, self.reason = "allowed", ""

    def ended(self, reason: str, verdict: str = "failed") -> None:
        """Whatever ends a connection that was allowed, it stays allowed."""
        if self.verdict != "allowed":
            self.verdict = verdict
        self.reason = reason

    def line(self, now: float) -> dict[str, object]:
        """`now` is of the same clock as `started`, in seconds."""
        return {
            "event": "egress",
            "service": self.service,
            "host": self.host,
            "port": self.port,
            "verdict": self.verdict,
            "reason": self.reason,
            "bytes_up": self.up,
            "bytes_down": self.down,
            "ms": round((now - self.started) * 1000, 1),
        }


def written(line: dict[str, object], now: datetime) -> str:
    """A line as it is written."""
    level = "info" if line.get("verdict") == "allowed" else "warning"
    return json.dumps({"timestamp": now.astimezone(UTC).isoformat(), "level": level, **line})
