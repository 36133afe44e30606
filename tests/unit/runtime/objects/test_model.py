"""Any LangChain chat model, unmodified, behind ModelService."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from firebreak.v1 import model_pb2, payload_pb2
from firebreak_runtime.errors import ServedError
from firebreak_runtime.served import Served

from tests.unit.runtime import samples
from tests.unit.runtime.fake_gateway import collect

SCHEMA = b'{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}'


def prompt(text: str = "hello", **fields: Any) -> model_pb2.Prompt:
    message = payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text=text)])
    return model_pb2.Prompt(target="it", messages=[message], **fields)


def offer(name: str = "add") -> model_pb2.ToolOffer:
    return model_pb2.ToolOffer(name=name, description="Adds.", input_schema_json=SCHEMA)


def generate(served: Served, asked: model_pb2.Prompt) -> payload_pb2.Message:
    (message,) = collect(served, "Generate", model_pb2.ModelServiceGenerateRequest(prompt=asked).SerializeToString())
    return model_pb2.ModelServiceGenerateResponse.FromString(message).message


def stream(served: Served, asked: model_pb2.Prompt) -> list[model_pb2.ModelServiceStreamResponse]:
    request = model_pb2.ModelServiceStreamRequest(prompt=asked).SerializeToString()
    return [model_pb2.ModelServiceStreamResponse.FromString(message) for message in collect(served, "Stream", request)]


@pytest.fixture(autouse=True)
def forget() -> None:
    samples.scripted.seen.clear()


def test_auto_mode_follows_the_models_own_coroutines(serve: Any) -> None:
    assert serve("scripted", "model").mode == "sync"
    assert serve("scripted_later", "model").mode == "async"


def test_describe(serve: Any) -> None:
    spec = model_pb2.ModelServiceDescribeResponse.FromString(serve("scripted", "model").describe()).spec

    assert (spec.name, spec.calls_tools) == ("scripted", True)
    assert spec.description.startswith("Ordinary LangChain objects")
    assert not model_pb2.ModelServiceDescribeResponse.FromString(serve("mute", "model").describe()).spec.calls_tools


@pytest.mark.parametrize("name", ["scripted", "scripted_later"])
def test_an_answer_with_usage_and_metadata(serve: Any, name: str) -> None:
    message = generate(serve(name, "model"), prompt())

    assert message.role == payload_pb2.ROLE_ASSISTANT
    assert message.content[0].text == "I read hello"
    assert message.usage.total_tokens == 5
    assert orjson.loads(message.metadata_json)["model_name"] == "scripted-1"


@pytest.mark.parametrize("name", ["scripted", "scripted_later"])
def test_a_stream_is_chunks_and_exactly_one_whole_message(serve: Any, name: str) -> None:
    *chunks, last = stream(serve(name, "model"), prompt())

    assert [event.seq for event in (*chunks, last)] == list(range(1, len(chunks) + 2))
    assert all(event.WhichOneof("event") == "chunk" for event in chunks)
    assert "".join(block.text for event in chunks for block in event.chunk.content) == "I read hello"
    assert last.finished.content[0].text == "I read hello" and last.finished.usage.total_tokens == 5


def test_a_model_that_cannot_stream_answers_in_one_chunk(serve: Any) -> None:
    chunk, last = stream(serve("mute", "model"), prompt())

    assert chunk.chunk.content[0].text == last.finished.content[0].text == "I read hello"


def test_tools_are_bound_from_their_offered_schema(serve: Any) -> None:
    message = generate(serve("scripted", "model"), prompt(tools=[offer()], tool_choice="add"))

    (request,) = message.tool_requests
    assert (request.id, request.name, orjson.loads(request.args_json)) == ("call-1", "add", {"a": 5})
    assert samples.scripted.seen[0]["tool_choice"] == "add"
    assert samples.scripted.seen[0]["tools"][0]["function"]["parameters"] == orjson.loads(SCHEMA)


def test_fragments_of_a_tool_call_stream_and_add_up(serve: Any) -> None:
    *chunks, last = stream(serve("scripted", "model"), prompt(tools=[offer()]))

    fragments = [request for event in chunks for request in event.chunk.tool_requests]
    assert b"".join(request.args_json for request in fragments) == b'{"a": 5}'
    assert {request.index for request in fragments} == {0}
    assert orjson.loads(last.finished.tool_requests[0].args_json) == {"a": 5}


def test_stop_and_parameters_reach_the_model(serve: Any) -> None:
    generate(serve("scripted", "model"), prompt(stop=["."], parameters_json=b'{"temperature": 0.5}'))

    assert samples.scripted.seen[0]["stop"] == ["."]
    assert samples.scripted.seen[0]["temperature"] == 0.5


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (prompt(parameters_json=b'{"base_url": "http://elsewhere"}'), "prompt.parameters.base_url"),
        (prompt(parameters_json=b'{"api_key": "x"}'), "prompt.parameters.api_key"),
        (prompt(parameters_json=b"[]"), "prompt.parameters"),
        (prompt(tools=[offer()], tool_choice="other"), "prompt.tool_choice"),
        (prompt(tool_choice="any"), "prompt.tool_choice"),
        (prompt(tools=[model_pb2.ToolOffer(name="f", input_schema_json=b"{")]), "prompt.tools[0].input_schema"),
        (model_pb2.Prompt(target="it"), "prompt.messages"),
        (model_pb2.Prompt(messages=[payload_pb2.Message()]), "prompt.messages[0]"),
    ],
)
def test_a_wrong_prompt_is_refused_by_field(serve: Any, asked: model_pb2.Prompt, field: str) -> None:
    with pytest.raises(ServedError) as error:
        generate(serve("scripted", "model"), asked)

    assert error.value.reason == "ARGUMENTS_INVALID"
    assert [name for name, _ in error.value.fields] == [field]
    assert samples.scripted.seen == []


def test_tools_for_a_model_without_them_are_refused(serve: Any) -> None:
    with pytest.raises(ServedError, match=r"prompt\.tools"):
        generate(serve("mute", "model"), prompt(tools=[offer()]))


def test_what_a_model_raises_passes_to_the_worker(serve: Any) -> None:
    with pytest.raises(RuntimeError):
        generate(serve("broken", "model"), prompt())
