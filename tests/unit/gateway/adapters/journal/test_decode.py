"""Reading parts back: what policy saw, messages as plain values, and parts that are damaged."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from firebreak.v1 import agent_pb2, decision_pb2, model_pb2, payload_pb2, record_pb2, tool_pb2

from gateway.adapters.journal.contents.decode import Content, message_json, policy_input, read_content, read_person
from gateway.adapters.journal.rows import part
from gateway.call import Call
from tests.unit.gateway.adapters.journal.recorded_calls import (
    answered_call,
    drafter,
    ended,
    entropy,
    request,
    unknown_call,
)

CALL = "/firebreak.v1.ToolService/Call"


def read(call: Call) -> tuple[dict[str, Any], Content]:
    draft, apart = drafter().draft(ended(call))
    assert draft.person is not None
    assert draft.content is not None
    return read_person(draft.person), read_content(draft.content, dict(apart).get)


def test_the_input_of_policy_comes_back_with_its_arguments() -> None:
    for recorded in ({"requests": "full"}, {"requests": "masked"}):
        call = answered_call(recorded)
        person, content = read(call)
        assert call.facts.document is not None
        assert policy_input(person, content, CALL) == json.loads(orjson.dumps(call.facts.document))


def test_arguments_come_back_with_every_digit() -> None:
    call = answered_call(sent=request(b'{"n":18446744073709551615,"f":0.1}'))
    found = policy_input(*read(call), CALL)
    assert found is not None
    assert found["args"] == {"n": 2**64 - 1, "f": 0.1}


def test_there_is_no_input_where_the_request_was_not_kept_exactly() -> None:
    secret = request(b'{"password":"x"}')
    for call in (
        answered_call({"requests": "hashed"}),
        answered_call({"requests": "none"}),
        answered_call({"requests": "masked"}, sent=secret),
        unknown_call(request()),
    ):
        assert policy_input(*read(call), CALL) is None
    person, content = read(answered_call())
    assert policy_input(person, None, CALL) is None
    assert policy_input(person, content, "/strange.Service/Method") is None
    assert policy_input(person, content, "/firebreak.v1.ModelService/Generate") is None


def test_a_content_that_is_gone_is_missing_and_not_empty() -> None:
    draft, apart = drafter(1).draft(ended(answered_call()))
    assert draft.content is not None
    assert len(apart) == 2
    content = read_content(draft.content, lambda _: None)
    assert (content.request.messages, content.request.missing) == (None, True)
    assert (content.answers.messages, content.answers.missing) == (None, True)


@pytest.mark.parametrize(
    "body", [b"\xff", b"", record_pb2.RecordedContent(request={"inline": b"\xff"}).SerializeToString()]
)
def test_a_damaged_content_part_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a journal row's content"):
        read_content(part(body, entropy), lambda _: None)


def test_a_damaged_blob_is_a_value_error() -> None:
    draft, _ = drafter(1).draft(ended(answered_call()))
    assert draft.content is not None
    with pytest.raises(ValueError, match="not a journal row's content"):
        read_content(draft.content, lambda _: b"\xff")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_person_part_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_person(part(body, entropy))


def test_a_message_is_plain_values_with_the_json_that_it_holds() -> None:
    message = payload_pb2.Message(
        role=payload_pb2.ROLE_ASSISTANT,
        content=[payload_pb2.ContentBlock(text="hi"), payload_pb2.ContentBlock(json=b'{"type":"x"}')],
        tool_requests=[payload_pb2.ToolRequest(id="1", name="t", args_json=b'{"a":1}', index=2)],
        usage=payload_pb2.Usage(input_tokens=5),
    )
    prompt = model_pb2.Prompt(target="router", messages=[message], stop=["a", "b"])
    data = model_pb2.ModelServiceGenerateRequest(prompt=prompt).SerializeToString()
    assert message_json("/firebreak.v1.ModelService/Generate", data, answer=False) == {
        "prompt": {
            "target": "router",
            "messages": [
                {
                    "role": "ASSISTANT",
                    "content": [{"text": "hi"}, {"json": {"type": "x"}}],
                    "tool_requests": [{"id": "1", "name": "t", "args_json": {"a": 1}, "index": 2}],
                    "usage": {"input_tokens": 5},
                }
            ],
            "stop": ["a", "b"],
        }
    }


def test_fragments_artifacts_and_unknown_values_are_shown_as_they_are() -> None:
    result = tool_pb2.ToolResult(status=9, artifact=payload_pb2.Artifact(media_type="image/png", data=b"\x89P"))
    data = tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()
    assert message_json(CALL, data, answer=True) == {
        "result": {"status": 9, "artifact": {"media_type": "image/png", "data": {"base64": "iVA="}}}
    }
    for args, shown in ((b'{"a', '{"a'), (b"NaN", "NaN"), (b"[" * 9999, "[" * 9999)):
        event = agent_pb2.AgentServiceRunResponse(
            tool_started=agent_pb2.ToolStarted(args_json=args)
        ).SerializeToString()
        assert message_json("/firebreak.v1.AgentService/Run", event, answer=True) == {
            "tool_started": {"args_json": shown}
        }


def test_the_gateways_own_answers_can_be_read() -> None:
    decision = decision_pb2.Decision(id="d", allow=True, obligations_json=b"{}")
    data = decision_pb2.DecisionServiceExplainResponse(decision=decision).SerializeToString()
    assert message_json("/firebreak.v1.DecisionService/Explain", data, answer=True) == {
        "decision": {"id": "d", "allow": True, "obligations_json": {}}
    }


def test_what_is_no_such_message_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^not a message of /firebreak.v1.ToolService/Call$"):
        message_json(CALL, b"\xff", answer=False)
    with pytest.raises(ValueError, match=r"^unknown method /x$"):
        message_json("/x", b"", answer=True)
