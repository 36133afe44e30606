"""A tool that books: each call that reaches it changes something, and is counted."""

import time

from langchain_core.tools import tool
from tally import count, total


@tool
def ledger(entry: str = "", amount: int = 0, seconds: float = 0.0) -> str:
    """Book an entry, and say how many have been booked. "count" books nothing. Take so many seconds after booking."""
    if entry == "count":
        return str(total())
    number = count()
    time.sleep(min(seconds, 5.0))
    return f"{number} {amount}"
