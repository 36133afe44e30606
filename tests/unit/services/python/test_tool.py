"""Running code as a tool."""

from __future__ import annotations

import pytest
from langchain_core.tools import ToolException
from pydantic import ValidationError

from services.python.python_tool.tool import MAX_CODE, python


def test_it_answers_with_what_the_code_showed() -> None:
    assert python.invoke({"code": "print('hi')\n6 * 7"}) == "hi\n42"


def test_code_that_raises_is_a_tool_exception_with_its_traceback() -> None:
    with pytest.raises(ToolException, match=r'File "<code>", line 1'):
        python.invoke({"code": "1 / 0"})


@pytest.mark.parametrize("arguments", [{}, {"code": ""}, {"code": "#" * (MAX_CODE + 1)}])
def test_arguments_outside_the_schema_are_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        python.invoke(arguments)


def test_the_tool_is_called_python() -> None:
    assert python.name == "python"
