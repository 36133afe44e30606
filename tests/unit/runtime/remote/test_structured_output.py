"""Structured output through the proxy is what the model gives here, and nothing that a model says of its answer is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from firebreak.v1 import model_pb2
from firebreak_runtime.remote import RemoteChatModel
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from tests.unit.runtime import sample_models, samples
from tests.unit.runtime.fake_gateway import FakeGateway

WAYS = pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])


class Sum(BaseModel):
    """A sum."""

    a: int


SCHEMA = {"title": "Sum", "description": "A sum.", "type": "object", "properties": {"a": {"type": "integer"}}}


def ask(way: str, model: RemoteChatModel, runnable: Any) -> Any:
    """The answer, or the last piece of one."""
    if way == "invoke":
        return runnable.invoke("x")
    if way == "stream":
        return list(runnable.stream("x"))[-1]

    async def run() -> Any:
        try:
            return await runnable.ainvoke("x") if way == "ainvoke" else [p async for p in runnable.astream("x")][-1]
        finally:
            await model.gateway.aclose()

    return asyncio.run(run())


def sent(gateway: FakeGateway) -> model_pb2.Prompt:
    """Both requests have the prompt in the same place."""
    return model_pb2.ModelServiceGenerateRequest.FromString(gateway.seen[-1].request).prompt


@WAYS
@pytest.mark.parametrize("schema", [Sum, SCHEMA])
@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_a_model_without_formats_of_its_own_is_asked_for_a_tool_call(
    way: str, schema: Any, method: str, remote_model: Any
) -> None:
    model = remote_model()

    there = ask(way, model, model.with_structured_output(schema, method=method))

    assert there == samples.scripted.with_structured_output(schema, method=method).invoke("x")


@WAYS
@pytest.mark.parametrize("schema", [Sum, SCHEMA])
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
def test_a_model_with_formats_is_asked_for_one(
    way: str, schema: Any, method: str, remote_model: Any, gateway: FakeGateway
) -> None:
    model = remote_model("formatting")
    assert model.formats

    there = ask(way, model, model.with_structured_output(schema, method=method))

    assert there == sample_models.formatting.with_structured_output(schema, method=method).invoke("x")
    assert there == (Sum(a=5) if schema is Sum else {"a": 5})
    assert not sent(gateway).tools
    asked = json.loads(sent(gateway).parameters_json)["response_format"]
    assert asked == sample_models.formatting.seen[-1]["response_format"]
    if method == "json_schema":
        assert (asked["type"], asked["json_schema"]["name"]) == ("json_schema", "Sum")
        assert asked["json_schema"]["schema"]["properties"]["a"]["type"] == "integer"
    else:
        assert asked == {"type": "json_object"}


@WAYS
@pytest.mark.parametrize("name", ["scripted", "formatting"])
def test_the_raw_message_comes_along_where_it_is_asked_for(way: str, name: str, remote_model: Any) -> None:
    model = remote_model(name)
    method = "json_schema" if name == "formatting" else "function_calling"

    answer = model.with_structured_output(Sum, method=method, include_raw=True).invoke("x")

    assert isinstance(answer["raw"], AIMessage) and answer["raw"].usage_metadata
    assert (answer["parsed"], answer["parsing_error"]) == (Sum(a=5), None)


def test_what_cannot_be_read_is_raised_or_told(remote_model: Any) -> None:
    class Other(BaseModel):
        b: int

    model = remote_model("formatting")

    with pytest.raises(OutputParserException):
        model.with_structured_output(Other, method="json_schema").invoke("x")
    told = model.with_structured_output(Other, method="json_schema", include_raw=True).invoke("x")
    assert told["parsed"] is None and isinstance(told["parsing_error"], OutputParserException)


def test_strict_goes_along_and_nothing_unknown(remote_model: Any, gateway: FakeGateway) -> None:
    model = remote_model("formatting")

    model.with_structured_output(Sum, method="json_schema", strict=True).invoke("x")

    assert json.loads(sent(gateway).parameters_json)["response_format"]["json_schema"]["strict"] is True
    with pytest.raises(ValueError, match="knows no colour"):
        model.with_structured_output(Sum, method="json_schema", colour="red")
    with pytest.raises(ValueError, match="needs a schema"):
        model.with_structured_output(method="json_schema")


@WAYS
def test_nothing_that_a_model_says_of_its_answer_is_lost(way: str, remote_model: Any) -> None:
    model = remote_model("telling")

    here, there = _whole(way, sample_models.telling), _whole(way, model, model)

    for message in (here, there):
        message.id = None
    assert there == here
    assert there.response_metadata["logprobs"]["content"][0]["token"] == "hi"
    assert there.response_metadata["finish_reason"] == "length"
    assert there.usage_metadata["input_token_details"] == {"cache_read": 2, "audio": 1}
    assert there.usage_metadata["output_token_details"] == {"reasoning": 4}
    assert there.additional_kwargs == {"reasoning_content": "I thought"}


def _whole(way: str, model: Any, remote: Any = None) -> Any:
    if not way.endswith("stream"):
        return ask(way, remote, model) if remote else model.invoke("x")
    if way == "stream" or not remote:
        chunks = list(model.stream("x"))
    else:

        async def run() -> Any:
            try:
                return [chunk async for chunk in model.astream("x")]
            finally:
                await remote.gateway.aclose()

        chunks = asyncio.run(run())
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole
