"""The tool that a model sees."""

from __future__ import annotations

import os
import time
from typing import Any

from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, Field

from .database import file, sample, schema
from .query import QueryFailed, run
from .table import shown

ROWS = 50
MAX_ROWS = 500

# Opened at import, so that the service is ready only when its data can be read.
_FILE = os.environ.get("SQL_DATABASE")
_DATA = file(_FILE) if _FILE else sample()
_ABOUT_SAMPLE = "" if _FILE else "Amounts are in cents, dates are written yyyy-mm-dd. "


class SqlArguments(BaseModel):
    """What the tool takes."""

    query: str = Field(description="One SELECT in SQLite's dialect", min_length=1, max_length=8000)
    rows: int = Field(default=ROWS, description="How many rows to return at most", ge=1, le=MAX_ROWS)


def answer(query: str, rows: int = ROWS) -> tuple[str, dict[str, Any]]:
    """The rows that a query selects, as text for the model and as data beside it."""
    try:
        found = run(_DATA, query, rows, time.monotonic)
    except QueryFailed as failure:
        raise ToolException(f"The query failed: {failure}") from None
    return shown(found), found.artifact()


sql = StructuredTool.from_function(
    answer,
    name="sql",
    description="Answer questions about data by one SELECT in SQLite's dialect. Nothing can be changed. "
    f"{_ABOUT_SAMPLE}Tables:\n{schema(_DATA)}",
    args_schema=SqlArguments,
    response_format="content_and_artifact",
)
