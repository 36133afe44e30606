"""Any LangChain tool, unmodified, behind ToolService."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from typing import Any

import orjson
import pytest
from firebreak.v1 import payload_pb2, tool_pb2
from firebreak_runtime.artifacts import LIMIT
from firebreak_runtime.checks import Checks
from firebreak_runtime.errors import ServedError
from firebreak_runtime.methods import KINDS
from firebreak_runtime.served import Served
from langchain_core.utils.function_calling import convert_to_openai_tool

from tests.unit.runtime import samples
from tests.unit.runtime.fake_gateway import collect


def run(served: Served, args: Any, injected: Any = None, call_id: str = "c-1") -> tool_pb2.ToolResult:
    call = tool_pb2.ToolCall(target="it", tool_call_id=call_id, args_json=orjson.dumps(args))
    if injected is not None:
        call.injected_json = orjson.dumps(injected)
    (message,) = collect(served, "Call", tool_pb2.ToolServiceCallRequest(call=call).SerializeToString())
    return tool_pb2.ToolServiceCallResponse.FromString(message).result


def spec_of(served: Served) -> tool_pb2.ToolSpec:
    return tool_pb2.ToolServiceDescribeResponse.FromString(served.describe()).spec


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("name", ["add", "add_later"])
def test_a_decorated_function_runs_in_either_mode(serve: Any, name: str, mode: str) -> None:
    served = serve(name, "tool", mode=mode)

    result = run(served, {"a": 5})

    assert result.status == tool_pb2.TOOL_STATUS_OK
    assert [block.text for block in result.content] == ["8"]
    assert not result.HasField("artifact")


@pytest.mark.parametrize(
    ("name", "mode"),
    [("add", "sync"), ("add_later", "async"), ("only_later", "async"), ("classic", "sync"), ("checked", "sync")],
)
def test_auto_is_async_only_where_the_author_wrote_a_coroutine(serve: Any, name: str, mode: str) -> None:
    assert serve(name, "tool").mode == mode


def test_describe_says_what_a_model_and_a_gateway_need(serve: Any) -> None:
    spec = spec_of(serve("add", "tool", effect="IDEMPOTENT"))

    assert (spec.name, spec.description, spec.version) == ("add", "Adds two numbers.", "1.2.3")
    assert spec.effect == payload_pb2.EFFECT_IDEMPOTENT
    assert spec.schema_sha256 == hashlib.sha256(spec.input_schema_json).hexdigest()
    assert spec.framework.package == "langchain" and spec.framework.core_version
    schema = orjson.loads(spec.input_schema_json)
    assert schema["required"] == ["a"] and set(schema["properties"]) == {"a", "b"}


@pytest.mark.parametrize(
    "name", ["add", "look_up", "for_user", "with_call_id", "checked", "reserved", "classic", "only_later"]
)
def test_the_schema_is_what_langchain_itself_would_offer_to_a_model(serve: Any, name: str) -> None:
    schema = orjson.loads(spec_of(serve(name, "tool")).input_schema_json)

    offered = convert_to_openai_tool(getattr(samples, name))["function"]["parameters"]

    assert set(schema["properties"]) == set(offered["properties"])
    assert set(schema.get("required", [])) == set(offered.get("required", []))


def test_the_schema_does_not_change_with_the_description(serve: Any) -> None:
    served = serve("add", "tool")
    before = spec_of(served).schema_sha256
    described = samples.add.model_copy(update={"description": "Other words."})

    from firebreak_runtime.objects.schema import input_schema, sha256

    assert sha256(input_schema(described)) == before


def test_content_blocks_and_documents_as_artifact_survive(serve: Any) -> None:
    found = run(serve("look_up", "tool"), {"words": "refunds"})
    assert found.artifact.media_type == "application/vnd.firebreak.documents+json"
    assert orjson.loads(found.artifact.data) == [{"id": "d1", "page_content": "a page", "metadata": {"line": 7}}]

    shown = run(serve("picture", "tool"), {"name": "cat"})
    assert shown.content[0].text == "cat"
    assert orjson.loads(shown.content[1].json)["type"] == "image_url"


def test_arguments_with_langchains_own_names_arrive(serve: Any) -> None:
    args = {"self": "a", "config": "b", "run_manager": "c", "runtime": "d"}

    result = run(serve("reserved", "tool"), args)

    assert result.content[0].text == "config=b,run_manager=c,runtime=d,self=a"


def test_a_classic_tool_takes_its_one_text(serve: Any) -> None:
    assert run(serve("classic", "tool"), {"__arg1": "hey"}).content[0].text == "HEY"


def test_the_call_id_reaches_a_tool_that_wants_it(serve: Any) -> None:
    assert run(serve("with_call_id", "tool"), {"text": "hi"}, call_id="c-9").content[0].text == "hi in c-9"


def test_an_injected_argument_comes_from_the_agent_alone(serve: Any) -> None:
    served = serve("for_user", "tool")

    assert run(served, {"item": "tea"}, {"user": "ann"}).content[0].text == "tea for ann"
    with pytest.raises(ServedError) as forged:
        run(served, {"item": "tea", "user": "root"})
    assert forged.value.reason == "ARGUMENTS_INVALID"
    assert [field for field, _ in forged.value.fields] == ["args.user"]


def test_a_call_id_cannot_be_forged_through_the_arguments(serve: Any) -> None:
    with pytest.raises(ServedError, match=r"args\.call"):
        run(serve("with_call_id", "tool"), {"text": "hi", "call": "forged"})


def test_a_missing_injected_argument_is_named(serve: Any) -> None:
    result = run(serve("for_user", "tool"), {"item": "tea"})

    assert result.status == tool_pb2.TOOL_STATUS_INVALID_ARGS
    assert result.error_message == "args.user: Field required"


def test_an_unknown_injected_argument_is_refused(serve: Any) -> None:
    with pytest.raises(ServedError, match=r"injected\.admin"):
        run(serve("for_user", "tool"), {"item": "tea"}, {"admin": True})


@pytest.mark.parametrize("request_bytes", [b"\xff\xff\xff", b"\x0a\xff"])
def test_what_is_no_protobuf_is_malformed(serve: Any, request_bytes: bytes) -> None:
    with pytest.raises(ServedError) as error:
        collect(serve("add", "tool"), "Call", request_bytes)
    assert error.value.reason == "REQUEST_MALFORMED"


def test_an_unknown_method_is_refused(serve: Any) -> None:
    with pytest.raises(ServedError) as error:
        collect(serve("add", "tool"), "Generate", b"")
    assert error.value.reason == "METHOD_UNKNOWN"


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("name", ["reports", "reports_later"])
def test_progress_comes_in_order_before_exactly_one_result(serve: Any, name: str, mode: str) -> None:
    call = tool_pb2.ToolCall(target="it", tool_call_id="c-1", args_json=b'{"steps": 3}')

    messages = collect(
        serve(name, "tool", mode=mode), "Stream", tool_pb2.ToolServiceStreamRequest(call=call).SerializeToString()
    )

    events = [tool_pb2.ToolServiceStreamResponse.FromString(message) for message in messages]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert [orjson.loads(event.progress.data_json) for event in events[:3]] == [
        {"name": "step", "data": {"done": step}} for step in range(3)
    ]
    assert events[3].result.content[0].text == "all done"


@pytest.mark.parametrize("name", ["add", "add_later"])
def test_warming_starts_no_thread_and_runs_nothing_of_the_tool(serve: Any, name: str) -> None:
    before = threading.active_count()

    serve(name, "tool").warm()

    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("look_up", {"type": "array"}),
        ("measures", {"type": "object", "required": ["x"]}),
        ("add", None),
        ("odd_artifact", None),
        ("untold_artifact", None),
        ("raw_artifact", None),
    ],
)
def test_the_schema_of_the_artifact_is_told_where_the_tool_declares_one(serve: Any, name: str, schema: Any) -> None:
    told = spec_of(serve(name, "tool")).output_schema_json

    found = orjson.loads(told) if told else None
    assert found == schema if schema is None else schema.items() <= found.items()


def test_what_the_artifact_is_fits_its_schema(serve: Any) -> None:
    found = run(serve("measures", "tool"), {"x": 3})

    assert (found.artifact.media_type, found.artifact.data) == ("application/json", b'{"x":3}')


@pytest.mark.parametrize("name", ["look_up", "measures", "locates"])
def test_every_artifact_fits_the_schema_that_is_told(serve: Any, name: str) -> None:
    served: Any = serve(name, "tool")
    checks = Checks(served._service, tool_pb2.ToolServiceDescribeResponse.FromString(served.describe()))
    args = {"words": "x"} if name == "look_up" else {"x": 3}

    result = run(served, args)

    checks.answer(KINDS["tool"].methods[0]).message(tool_pb2.ToolServiceCallResponse(result=result).SerializeToString())


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("more", [0, 1])
def test_an_artifact_is_bounded(serve: Any, mode: str, more: int) -> None:
    served = serve("large_artifact", "tool", mode=mode)
    if not more:
        assert len(run(served, {"size": LIMIT}).artifact.data) == LIMIT
        return
    with pytest.raises(ServedError) as error:
        run(served, {"size": LIMIT + more})
    assert error.value.reason == "RESPONSE_TOO_LARGE"
    assert error.value.message == (
        f"The tool's result is too large: an artifact has at most {LIMIT} bytes, not {LIMIT + 1}. Ask for less."
    )


async def test_cancelling_in_the_midst_of_a_stream_ends_the_tools_coroutine(serve: Any) -> None:
    served, first = serve("reports_and_waits", "tool"), asyncio.Event()
    call = tool_pb2.ToolCall(tool_call_id="c-1", args_json=b'{"text": "cancelled"}')

    async def emit(message: bytes) -> None:
        first.set()

    request = tool_pb2.ToolServiceStreamRequest(call=call).SerializeToString()
    task = asyncio.create_task(served.acall("Stream", request, emit))
    await first.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert samples.ended == ["cancelled"]
