"""A tool that answers, crashes or dawdles as it is told, and knows how many calls have reached it."""

import os
import time

from langchain_core.tools import tool
from tally import count, total


@tool
def moody(mood: str = "good", seconds: float = 0.0) -> str:
    """Do as the mood says: "good", "crash" or "count", which is not counted itself. Take so many seconds for it."""
    if mood == "count":
        return str(total())
    number = count()
    time.sleep(min(seconds, 5.0))
    if mood == "crash":
        os._exit(1)
    return str(number)
