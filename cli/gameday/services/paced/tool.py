"""A tool whose capacity is known: every call takes the same time."""

import asyncio

from langchain_core.tools import tool

SECONDS = 0.16


@tool
async def paced(size: int = 0) -> str:
    """Take 160 ms, then say so many letters."""
    await asyncio.sleep(SECONDS)
    return "x" * min(size, 1_000_000)
