"""A tool that takes its time to start."""

import time

from langchain_core.tools import tool

SLOW = 1.5
"""Seconds that its import takes beside what the framework takes."""

time.sleep(SLOW)
AWAKE = time.monotonic()


@tool
def sleepy() -> str:
    """Say since when it is awake, in seconds of the machine's monotonic clock."""
    return repr(AWAKE)
