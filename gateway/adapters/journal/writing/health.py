"""How the journal is: written by its thread, read by the event loop's for /status, metrics and readiness."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.adapters.journal.rows import GENESIS, Head


@dataclass(slots=True)
class Health:
    """`failing` says why nothing can be written now, "" when all is well; `unnoted` is the author's.

    `head` is that of the last row of `writer`, this process's chain; while failing it may not be written yet. `written` are
    rows about calls.
    """

    failing: str = "the journal is not open yet"
    writer: str = ""
    head: Head = field(default_factory=lambda: Head(0, GENESIS))
    written: int = 0
    unnoted: str = ""
