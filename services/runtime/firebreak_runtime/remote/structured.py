"""Structured output by a model's own format, beside LangChain's way by a tool call."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_function
from pydantic import BaseModel

BY_FORMAT = ("json_schema", "json_mode")
"""LangChain's names of the methods that bind `response_format`."""


def by_format(
    model: BaseChatModel, schema: Any, method: str, strict: bool | None, include_raw: bool
) -> Runnable[Any, Any]:
    """The model bound to answer in JSON, and what reads it. Raises ValueError where a schema is needed and not given."""
    asked = model.bind(
        response_format=_response_format(schema, method, strict),
        ls_structured_output_format={"kwargs": {"method": method, "strict": strict}, "schema": schema},
    )
    is_model = isinstance(schema, type) and issubclass(schema, BaseModel)
    parser: Any = PydanticOutputParser(pydantic_object=schema) if is_model else JsonOutputParser()
    if not include_raw:
        read: Runnable[Any, Any] = asked | parser
        return read
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asked) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _response_format(schema: Any, method: str, strict: bool | None) -> dict[str, Any]:
    if method == "json_mode":
        return {"type": "json_object"}
    if schema is None:
        raise ValueError('with_structured_output(method="json_schema") needs a schema')
    function = convert_to_openai_function(schema, strict=strict)
    function["schema"] = function.pop("parameters")
    return {"type": "json_schema", "json_schema": function}
