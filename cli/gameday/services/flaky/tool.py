"""A tool whose process dies the first time that it is asked something, and answers the second time."""

import os
from pathlib import Path

from langchain_core.tools import tool


@tool
def flaky(question: str) -> str:
    """Answer at the second attempt."""
    asked = Path.home() / f"asked-{question}"
    if not asked.exists():
        asked.touch()
        os._exit(7)
    asked.unlink()
    return "answered"
