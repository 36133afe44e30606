"""A tool that changes something: each call that reaches it is a line of the pod's log, which outlives the pod."""

import time
from pathlib import Path

from langchain_core.tools import tool

SCRATCH = Path("/tmp")


@tool
def tally(entry: str, until: str = "") -> str:
    """Book an entry, then wait until an entry of the name `until` was booked in the same pod."""
    print("booked", entry, flush=True)
    (SCRATCH / entry).touch()
    while until and not (SCRATCH / until).exists():
        time.sleep(0.01)
    return entry
