"""Rows for tests of the stores: sealed for real, with parts that are easy to find again."""

from __future__ import annotations

import hashlib
from typing import Any

from gateway.adapters.journal.rows import CALL, Chain, Draft, Row
from gateway.adapters.journal.store import Batch, Blob

START = 1_700_000_000_000_000
"""Microseconds since 1970 of a writer's first row; each further one is a second later."""


def draft(number: int, **changes: Any) -> Draft:
    """A call by ada, with both parts."""
    values: dict[str, Any] = {
        "at": START + number * 1_000_000,
        "kind": CALL,
        "call": f"call-{number}",
        "session": "session-1",
        "target": "calculator",
        "method": "/firebreak.v1.ToolService/Call",
        "outcome": "OK",
        "facts": {"number": number},
        "principal": "ada",
        "origin": "ada",
        "person": f"person of {number}".encode(),
        "content": f"content of {number}".encode(),
    }
    return Draft(**{**values, **changes})


def control(number: int, kind: str, **changes: Any) -> Draft:
    return Draft(at=START + number * 1_000_000, kind=kind, **changes)


def rows(chain: Chain, count: int, **changes: Any) -> list[Row]:
    """The next `count` rows of a chain."""
    return [chain.seal(draft(chain.head.seq + 1, **changes)) for _ in range(count)]


def record(chain: Chain, kind: str) -> Batch:
    """The row that tells of an erasure."""
    return Batch([chain.seal(control(chain.head.seq + 1, kind))])


def blob(row: Row, body: bytes) -> Blob:
    return Blob(hashlib.sha256(body).digest(), body, row.writer, row.seq)
