"""A tool as a broken framework upgrade leaves it: its import fails."""

from langchain_core.tools import ExecutionInfo, tool


@tool
def echo(text: str) -> str:
    """Repeat a text."""
    return f"{ExecutionInfo}: {text}"
