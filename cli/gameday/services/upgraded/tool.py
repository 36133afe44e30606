"""A tool as a broken upgrade of its framework leaves it: what it imports is not there any more."""

from langchain_core.tools import ToolBeforeTheUpgrade, tool


@tool
def echo(text: str) -> str:
    """Repeat a text."""
    return f"{ToolBeforeTheUpgrade}: {text}"
