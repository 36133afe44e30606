"""The tool that LangChain's suites are run on."""

from __future__ import annotations

from langchain_core.tools import tool


@tool(response_format="content_and_artifact")
def look_up(words: str) -> tuple[str, list[str]]:
    """Look words up.

    The words are counted too.
    """
    found = words.split()
    return f"{len(found)} words", found
