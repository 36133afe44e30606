"""Records as JSON on standard output."""

from __future__ import annotations

import sys
from typing import Any

from cli.journal.objects import encoded


def write_object(value: Any) -> None:
    """One JSON value a line; whatever a caller sent can be written."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded(value) + b"\n")
    sys.stdout.buffer.flush()
