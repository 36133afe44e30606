"""What is clean at first sight is clean: whatever masking would change has a hint that shows."""

from __future__ import annotations

import orjson
import pytest
from firebreak.v1 import payload_pb2, tool_pb2
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.journal.contents.first_sight import is_clean
from gateway.adapters.journal.contents.json_masking import Names, mask_json
from gateway.adapters.journal.contents.marks import mask
from gateway.adapters.journal.contents.masking import messages

MARKS = (
    "ada@example.org",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "378282246310005",
    "DE89370400440532013000",
    "+49 30 12345678",
    "AKIAIOSFODNN7EXAMPLE",
    "sk-abcdefghijklmnopqrst",
    "rk_live_abcdefghijklmnopqrst",
    "github_pat_abcdefghijklmnopqrstuv",
    "ya29.abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln",
    "bearer abcdefghijklmnopqrst",
    "Set-Cookie: a=b",
    "password=hunter2",
    "ACCESS-KEY: abc",
)
NAMES = ("password", "pass-word", "PASSWD", "api.key", "p w d", "Auth", "ssn", "PIN", "cookies", "o-t-p", "Credentials")
ASCII = st.text(st.characters(max_codepoint=127), max_size=12)


@pytest.mark.parametrize("text", MARKS)
def test_nothing_that_is_masked_in_a_text_is_clean(text: str) -> None:
    assert mask(text) != text
    assert not is_clean(text.encode())


@pytest.mark.parametrize("name", NAMES)
def test_nothing_under_a_secrets_name_is_clean(name: str) -> None:
    data = orjson.dumps({name: "x"})
    assert mask_json(data, Names()) != data
    assert not is_clean(data)


@given(st.lists(ASCII | st.sampled_from(MARKS), max_size=4).map("".join), ASCII | st.sampled_from(NAMES))
def test_masking_changes_nothing_that_is_clean(text: str, name: str) -> None:
    call = tool_pb2.ToolCall(target="calculator", args_json=orjson.dumps({name: text}))
    data = tool_pb2.ToolServiceCallRequest(call=call).SerializeToString()
    if is_clean(data):
        assert mask_json(call.args_json, Names()) == call.args_json
        assert mask(text) == text


@pytest.mark.parametrize("data", [b"", b'{"expression": "1234 * 5678"}', b"7006652", b"What does the handbook say?"])
def test_ordinary_contents_are_clean(data: bytes) -> None:
    assert is_clean(data)


@pytest.mark.parametrize("data", ["é".encode(), b"\xff", b"\\u0040", b"1" * 13])
def test_what_takes_a_closer_look(data: bytes) -> None:
    assert not is_clean(data)
    assert is_clean(b"1" * 12)


def test_names_of_the_targets_own_are_looked_for_in_clean_messages_too() -> None:
    call = tool_pb2.ToolCall(target="calculator", args_json=b'{"badge":"7"}')
    data = tool_pb2.ToolServiceCallRequest(call=call).SerializeToString()
    assert is_clean(data)
    assert messages(tool_pb2.ToolServiceCallRequest, [data], ()) == [data]
    kept = messages(tool_pb2.ToolServiceCallRequest, [data], ("badge",))
    assert kept is not None
    assert b'{"badge":"[masked]"}' in kept[0]


def test_a_long_message_is_looked_at_closely() -> None:
    """Its lengths are not ASCII; it is masked as ever, and kept as it is when there is nothing."""
    content = [payload_pb2.ContentBlock(text="word " * 100)]
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=content)
    data = tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()
    assert not is_clean(data)
    assert messages(tool_pb2.ToolServiceCallResponse, [data], ()) == [data]
