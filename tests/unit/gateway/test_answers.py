"""What a service may answer: whole messages, numbered events, exactly one terminal one."""

from __future__ import annotations

from typing import Any

import pytest
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2

from gateway.answers import ContractError, answer
from gateway.routes import METHODS, Action
from tests.unit.gateway.chain_fakes import RESULT, TOOL_CALL, TOOL_STREAM

MESSAGE = payload_pb2.Message(role=payload_pb2.ROLE_ASSISTANT, content=[payload_pb2.ContentBlock(text="hi")])
OK = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK)
Progress, Event = tool_pb2.ToolProgress, tool_pb2.ToolServiceStreamResponse

GOOD: dict[str, list[Any]] = {
    "ToolService/Describe": [tool_pb2.ToolServiceDescribeResponse(spec=tool_pb2.ToolSpec(name="calculator"))],
    "ToolService/Call": [tool_pb2.ToolServiceCallResponse(result=OK)],
    "ToolService/Stream": [Event(seq=1, progress=Progress(data_json=b"1")), Event(seq=2, result=OK)],
    "AgentService/Describe": [agent_pb2.AgentServiceDescribeResponse(spec=agent_pb2.AgentSpec(name="assistant"))],
    "AgentService/Invoke": [agent_pb2.AgentServiceInvokeResponse(result=agent_pb2.RunFinished(message=MESSAGE))],
    "AgentService/Run": [
        agent_pb2.AgentServiceRunResponse(seq=1, content_delta=agent_pb2.ContentDelta(text="h")),
        agent_pb2.AgentServiceRunResponse(seq=2, run_finished=agent_pb2.RunFinished(message=MESSAGE)),
    ],
    "ModelService/Describe": [model_pb2.ModelServiceDescribeResponse(spec=model_pb2.ModelSpec(name="router"))],
    "ModelService/Generate": [model_pb2.ModelServiceGenerateResponse(message=MESSAGE)],
    "ModelService/Stream": [
        model_pb2.ModelServiceStreamResponse(seq=1, chunk=MESSAGE),
        model_pb2.ModelServiceStreamResponse(seq=2, finished=MESSAGE),
    ],
    "RetrieverService/Describe": [
        retriever_pb2.RetrieverServiceDescribeResponse(spec=retriever_pb2.RetrieverSpec(name="handbook"))
    ],
    "RetrieverService/Retrieve": [retriever_pb2.RetrieverServiceRetrieveResponse()],
    "EmbeddingService/Describe": [
        embedding_pb2.EmbeddingServiceDescribeResponse(spec=embedding_pb2.EmbeddingSpec(name="e5"))
    ],
    "EmbeddingService/Embed": [embedding_pb2.EmbeddingServiceEmbedResponse()],
}


def check(method: Any, messages: list[bytes]) -> None:
    checked = answer(method)
    for message in messages:
        checked.message(message)
    checked.end()


def broken(method: Any, *messages: Any) -> str:
    with pytest.raises(ContractError) as caught:
        check(method, [each if isinstance(each, bytes) else each.SerializeToString() for each in messages])
    return str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_an_answer_is_complete_with_its_last_message_and_not_before(name: str) -> None:
    checked, seen = answer(METHODS[f"/firebreak.v1.{name}"]), []
    for message in GOOD[name]:
        seen.append(checked.complete)
        checked.message(message.SerializeToString())
    assert not any(seen)
    assert checked.complete


def test_every_method_has_an_example() -> None:
    assert {f"/firebreak.v1.{name}" for name in GOOD} == set(METHODS)


@pytest.mark.parametrize("name", GOOD)
def test_good_answers_pass(name: str) -> None:
    check(METHODS[f"/firebreak.v1.{name}"], [message.SerializeToString() for message in GOOD[name]])


@pytest.mark.parametrize("name", GOOD)
def test_no_answer_is_a_violation(name: str) -> None:
    assert "finished without" in broken(METHODS[f"/firebreak.v1.{name}"])


@pytest.mark.parametrize("name", GOOD)
def test_one_message_too_many_is_a_violation(name: str) -> None:
    assert broken(METHODS[f"/firebreak.v1.{name}"], *GOOD[name], GOOD[name][-1])


@pytest.mark.parametrize("name", GOOD)
def test_garbage_is_a_violation(name: str) -> None:
    assert "not the promised message" in broken(METHODS[f"/firebreak.v1.{name}"], b"\xff\xff\xff")


@pytest.mark.parametrize("name", [name for name in GOOD if not name.endswith(("Retrieve", "Embed"))])
def test_an_empty_message_is_a_violation(name: str) -> None:
    method = METHODS[f"/firebreak.v1.{name}"]
    assert broken(method, b"") == ("it numbered its events wrongly" if method.streams_response else _LACKS)


_LACKS = "its answer lacks a required field"


def test_a_result_without_a_known_status_is_a_violation() -> None:
    assert broken(TOOL_CALL, tool_pb2.ToolServiceCallResponse(result=tool_pb2.ToolResult())) == _LACKS
    assert broken(TOOL_STREAM, Event(seq=1, result=tool_pb2.ToolResult())) == (
        "its terminal event lacks a required field"
    )


def test_events_are_numbered_from_one_and_by_one() -> None:
    assert "numbered" in broken(TOOL_STREAM, Event(seq=2, result=OK))
    assert "numbered" in broken(TOOL_STREAM, Event(seq=1, progress=Progress()), Event(seq=1, result=OK))


def test_an_event_of_an_unknown_kind_is_a_violation() -> None:
    assert "no known kind" in broken(TOOL_STREAM, Event(seq=1))


def test_two_terminal_events_are_a_violation() -> None:
    assert "after the terminal" in broken(TOOL_STREAM, Event(seq=1, result=OK), Event(seq=2, result=OK))


def test_a_stream_that_ends_in_the_middle_is_a_violation() -> None:
    assert "without a terminal" in broken(TOOL_STREAM, Event(seq=1, progress=Progress()))


def test_the_text_repeats_nothing_that_the_service_sent() -> None:
    assert "SECRET" not in broken(TOOL_CALL, RESULT, b"SECRET")


def test_calls_of_one_method_do_not_share_state() -> None:
    for _ in range(2):
        check(TOOL_CALL, [RESULT])
    assert all(method.kind for method in METHODS.values() if method.action is Action.CALL)
