"""A tool that keeps its caller waiting: it never begins, or it says one byte a second for ever."""

import time

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.tools import tool


@tool
def silent(how: str) -> str:
    """Be silent: "never" begins, "trickle", or "not" at all."""
    while how == "never":
        time.sleep(60)
    while how == "trickle":
        dispatch_custom_event("silent", 1)
        time.sleep(1)
    return "spoke"
