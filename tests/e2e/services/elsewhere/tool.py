"""A tool that says which Python it runs on."""

import sys

from langchain_core.tools import tool


@tool
def where() -> str:
    """Say the version of Python."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
