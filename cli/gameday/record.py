"""What the journal of an instance has on record, for comparing with what was seen."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cli.gameday.fault import Answer
from cli.gameday.instance import PrivateInstance
from cli.gameday.measure import Sample
from gateway.adapters.journal.rows import FACTS

SETTLED = 10.0
"""Seconds within which a best-effort journal has written what has ended."""


@dataclass
class Recorded:
    """How many rows there are of each call, by the gateway's id and by the caller's trace, and each trace's facts."""

    ids: Counter[str] = field(default_factory=Counter)
    traces: Counter[str] = field(default_factory=Counter)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def problem(self, call: Answer | Sample) -> str:
        """What is wrong with the record of one call: "" if it is there once."""
        count = self.ids[call.call_id] if call.call_id else self.traces[call.trace]
        if count > 1:
            return "recorded twice"
        return "unrecorded" if count == 0 and must_be_there(call) else ""


def must_be_there(call: Answer | Sample) -> bool:
    """Whether the gateway must have had the call: one that no gateway answered may never have reached one."""
    if call.call_id or call.reason or call.code in ("OK", "TOOL_ERROR", "INVALID_ARGS"):
        return True
    return call.code != "UNAVAILABLE" and getattr(call, "arrived", True)


class Journal:
    """Reads an instance's journal while it is written."""

    def __init__(self, instance: PrivateInstance) -> None:
        self._path = instance.state / "journal/journal.db"
        self._recorded = Recorded()
        self._last = 0

    def read(self) -> Recorded:
        """With all rows that were written since; an instance without a journal has none."""
        if not self._path.exists():
            return self._recorded
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=5)
        try:
            text = "SELECT id, call, header FROM rows WHERE id > ? AND kind = 'call' ORDER BY id"
            for number, call, header in connection.execute(text, (self._last,)):
                self._last = number
                self._take(call, json.loads(header))
        finally:
            connection.close()
        return self._recorded

    def _take(self, call: str, header: list[Any]) -> None:
        facts = header[FACTS]
        self._recorded.ids[call] += 1
        if trace := facts.get("trace"):
            self._recorded.traces[trace] += 1
            self._recorded.facts[trace] = facts

    def settled(self, calls: Iterable[Answer | Sample], sleep: Callable[[float], None] = time.sleep) -> Recorded:
        """As `read`, when every call is there that must be, or has had the time."""
        calls, end = list(calls), time.monotonic() + SETTLED
        while any(self.read().problem(call) == "unrecorded" for call in calls) and time.monotonic() < end:
            sleep(0.1)
        return self._recorded
