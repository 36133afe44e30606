"""A call in a few words, for every method, whatever a caller put into it."""

from __future__ import annotations

import pytest
from firebreak.v1 import (
    agent_pb2,
    catalog_pb2,
    decision_pb2,
    embedding_pb2,
    model_pb2,
    payload_pb2,
    retriever_pb2,
    tool_pb2,
)
from google.protobuf.message import Message

from cli.journal import words
from gateway.routes import GATEWAY_METHODS, METHODS, Action
from tests.unit.cli.journal.world import text

V1 = "/firebreak.v1."
CALL = tool_pb2.ToolCall(target="x", args_json=b'{"a": 1, "b": "two", "c": {"d": [null]}}')
INPUT = agent_pb2.AgentInput(messages=[text("first"), text("Question\nin two  lines")])
PROMPT = model_pb2.Prompt(messages=[text("q"), text("42", payload_pb2.ROLE_TOOL, name="calculator")])
RESULT = tool_pb2.ToolResult(
    status=tool_pb2.TOOL_STATUS_OK,
    content=[payload_pb2.ContentBlock(text="seen"), payload_pb2.ContentBlock(json=b'{"type": "image"}')],
    artifact=payload_pb2.Artifact(media_type="image/png", data=b"x" * 2048),
)
FAILED = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_TOOL_ERROR, error_message="no such page")
ASKS = text("Let me see.", tool_requests=[payload_pb2.ToolRequest(name="calculator", args_json=b'{"x": 1}')])


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        ("ToolService/Call", tool_pb2.ToolServiceCallRequest(call=CALL), 'a: 1, b: "two", c: {"d": [null]}'),
        ("ToolService/Stream", tool_pb2.ToolServiceStreamRequest(call=CALL), 'a: 1, b: "two", c: {"d": [null]}'),
        ("ToolService/Call", tool_pb2.ToolServiceCallRequest(call=tool_pb2.ToolCall(args_json=b"{oops")), "{oops"),
        ("ToolService/Call", tool_pb2.ToolServiceCallRequest(call=tool_pb2.ToolCall(args_json=b"[1]")), "[1]"),
        ("AgentService/Run", agent_pb2.AgentServiceRunRequest(input=INPUT), "Question in two lines"),
        ("AgentService/Invoke", agent_pb2.AgentServiceInvokeRequest(input=INPUT), "Question in two lines"),
        ("AgentService/Run", agent_pb2.AgentServiceRunRequest(), ""),
        ("ModelService/Generate", model_pb2.ModelServiceGenerateRequest(prompt=PROMPT), "calculator: 42"),
        ("ModelService/Stream", model_pb2.ModelServiceStreamRequest(prompt=PROMPT), "calculator: 42"),
        ("RetrieverService/Retrieve", retriever_pb2.RetrieverServiceRetrieveRequest(query="refunds"), "refunds"),
        ("EmbeddingService/Embed", embedding_pb2.EmbeddingServiceEmbedRequest(texts=["a", "b"]), "2 texts"),
        ("DecisionService/Explain", decision_pb2.DecisionServiceExplainRequest(decision_id="d1"), "d1"),
        ("ToolService/Describe", tool_pb2.ToolServiceDescribeRequest(target="x"), ""),
        ("NoService/Nothing", tool_pb2.ToolServiceDescribeRequest(target="x"), ""),
    ],
)
def test_what_was_asked(method: str, request_: Message, expected: str) -> None:
    assert words.asked(V1 + method, request_.SerializeToString()) == expected


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        (
            "ToolService/Call",
            tool_pb2.ToolServiceCallResponse(result=RESULT),
            "seen [1 other block] [image/png, 2.0 KiB]",
        ),
        ("ToolService/Call", tool_pb2.ToolServiceCallResponse(result=FAILED), "the tool failed: no such page"),
        ("ToolService/Stream", tool_pb2.ToolServiceStreamResponse(result=FAILED), "the tool failed: no such page"),
        (
            "ToolService/Stream",
            tool_pb2.ToolServiceStreamResponse(progress=tool_pb2.ToolProgress(data_json=b'{"done": 3}')),
            "unfinished, at done: 3",
        ),
        (
            "AgentService/Run",
            agent_pb2.AgentServiceRunResponse(run_finished=agent_pb2.RunFinished(message=text("done"))),
            "done",
        ),
        (
            "AgentService/Run",
            agent_pb2.AgentServiceRunResponse(tool_started=agent_pb2.ToolStarted(name="x")),
            "unfinished, at tool started",
        ),
        (
            "AgentService/Invoke",
            agent_pb2.AgentServiceInvokeResponse(result=agent_pb2.RunFinished(message=text("done"))),
            "done",
        ),
        ("ModelService/Generate", model_pb2.ModelServiceGenerateResponse(message=ASKS), "Let me see. calculator(x: 1)"),
        ("ModelService/Stream", model_pb2.ModelServiceStreamResponse(finished=ASKS), "Let me see. calculator(x: 1)"),
        ("ModelService/Stream", model_pb2.ModelServiceStreamResponse(chunk=text("Let")), "unfinished, at Let"),
        (
            "RetrieverService/Retrieve",
            retriever_pb2.RetrieverServiceRetrieveResponse(documents=[retriever_pb2.Document(page_content="page")]),
            "1 document: page",
        ),
        ("RetrieverService/Retrieve", retriever_pb2.RetrieverServiceRetrieveResponse(), "0 documents"),
        (
            "EmbeddingService/Embed",
            embedding_pb2.EmbeddingServiceEmbedResponse(vectors=[embedding_pb2.Vector(values=[1.0])]),
            "1 vector",
        ),
        ("CatalogService/List", catalog_pb2.CatalogServiceListResponse(targets=[catalog_pb2.Target()]), "1 target"),
        ("ToolService/Describe", tool_pb2.ToolServiceDescribeResponse(), ""),
    ],
)
def test_what_came_back(method: str, answer: Message, expected: str) -> None:
    assert words.answered(V1 + method, [answer.SerializeToString()]) == expected


def test_every_method_that_calls_something_is_told() -> None:
    for method in METHODS.values():
        if method.action is Action.CALL:
            assert words.asked(method.name, b"\xff") == words.UNREADABLE
            assert words.answered(method.name, [b"\xff"]) == words.UNREADABLE
    assert words.answered("/firebreak.v1.CatalogService/List", [b"\xff"]) == words.UNREADABLE
    assert len(GATEWAY_METHODS) == 2


def test_no_answer_is_no_words() -> None:
    assert words.answered(V1 + "ToolService/Call", []) == ""


def test_nothing_that_a_terminal_would_obey_gets_through() -> None:
    call = tool_pb2.ToolServiceCallResponse(
        result=tool_pb2.ToolResult(
            status=tool_pb2.TOOL_STATUS_OK, content=[payload_pb2.ContentBlock(text="a\x1b[31mb\u202ec\nd")]
        )
    )
    assert words.answered(V1 + "ToolService/Call", [call.SerializeToString()]) == "a�[31mb�c d"


@pytest.mark.parametrize(("length", "expected"), [(5, "12345"), (4, "123…")])
def test_short(length: int, expected: str) -> None:
    assert words.short("12345", length) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 1024**2, "3.0 MiB"), (2**41, "2048.0 GiB")],
)
def test_size(number: int, expected: str) -> None:
    assert words.size(number) == expected
