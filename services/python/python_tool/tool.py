"""The tool that a model sees."""

from __future__ import annotations

from langchain_core.tools import ToolException, tool
from pydantic import BaseModel, Field

from .runner import CodeFailed, run

MAX_CODE = 20_000


class PythonArguments(BaseModel):
    """What the tool takes."""

    code: str = Field(
        description="Python code to run. Print what you want to see; the value of a last expression is shown too.",
        min_length=1,
        max_length=MAX_CODE,
    )


@tool("python", args_schema=PythonArguments)
def python(code: str) -> str:
    """Run Python code and return what it printed and the value of its last expression.

    Use it for programs: loops, lists, text, dates, simulations. Count on the standard library only, and on no network;
    variables are not kept from one run to the next.
    """
    try:
        return run(code)
    except CodeFailed as failure:
        raise ToolException(str(failure)) from None
