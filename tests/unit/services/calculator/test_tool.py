"""The calculator as a tool."""

from __future__ import annotations

import pytest
from langchain_core.tools import ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from services.calculator.calculator.tool import calculator


def test_it_answers_with_text() -> None:
    assert calculator.invoke({"expression": "1234 * 5678"}) == "7006652"


def test_what_it_cannot_work_out_is_a_tool_exception() -> None:
    with pytest.raises(ToolException, match="Division by zero"):
        calculator.invoke({"expression": "1 / 0"})


@pytest.mark.parametrize("arguments", [{}, {"expression": ""}, {"expression": "1" * 1001}])
def test_arguments_outside_the_schema_are_refused(arguments: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        calculator.invoke(arguments)


def test_a_model_sees_one_described_bounded_text() -> None:
    function = convert_to_openai_tool(calculator)["function"]
    expression = function["parameters"]["properties"]["expression"]
    assert function["name"] == "calculator"
    assert function["parameters"]["required"] == ["expression"]
    assert expression["maxLength"] == 1000
    assert "e.g." in expression["description"]
