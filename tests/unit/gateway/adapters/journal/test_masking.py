"""Masked messages: what stays, what goes, and secrets that are spread over a stream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2

from gateway.adapters.journal.contents.json_masking import Names, mask_json
from gateway.adapters.journal.contents.masking import messages

TOOL_STREAM, RUN, MODEL_STREAM = (
    tool_pb2.ToolServiceStreamResponse,
    agent_pb2.AgentServiceRunResponse,
    model_pb2.ModelServiceStreamResponse,
)


def one(message: Any, *names: str) -> Any:
    """`message` as it is kept."""
    kept = messages(type(message), [message.SerializeToString()], names)
    assert kept is not None
    return type(message).FromString(kept[0])


def stream(*events: Any) -> list[Any] | None:
    """The events as they are kept, numbered from 1."""
    for seq, event in enumerate(events, 1):
        event.seq = seq
    kept = messages(type(events[0]), [event.SerializeToString() for event in events], ())
    return None if kept is None else [type(events[0]).FromString(data) for data in kept]


def block(text: str) -> Any:
    return payload_pb2.ContentBlock(text=text)


def delta(text: str, message_id: str = "m") -> Any:
    return RUN(content_delta=agent_pb2.ContentDelta(message_id=message_id, text=text))


def finished(text: str) -> Any:
    return RUN(run_finished=agent_pb2.RunFinished(message=payload_pb2.Message(content=[block(text)])))


def chunk(args: bytes, index: int = 0) -> Any:
    return MODEL_STREAM(chunk=payload_pb2.Message(tool_requests=[payload_pb2.ToolRequest(args_json=args, index=index)]))


def test_nothing_to_mask_leaves_the_very_bytes() -> None:
    call = tool_pb2.ToolServiceCallRequest(
        call=tool_pb2.ToolCall(target="calculator", tool_call_id="c", args_json=b'{ "a" : [1, 2.50, null, "\\u00e9"] }')
    ).SerializeToString()
    assert messages(tool_pb2.ToolServiceCallRequest, [call], ()) == [call]


def test_what_names_things_stays() -> None:
    message = payload_pb2.Message(role=3, tool_call_id="a@b.cd", name="a@b.cd", id="a@b.cd", content=[block("a@b.cd")])
    kept = one(model_pb2.ModelServiceGenerateResponse(message=message)).message
    assert (kept.role, kept.tool_call_id, kept.name, kept.id) == (3, "a@b.cd", "a@b.cd", "a@b.cd")
    assert kept.content[0].text == "[masked:email]"


def test_every_text_and_every_json_is_looked_at() -> None:
    said = payload_pb2.Message(
        metadata_json=b'{"api_key":"k"}', content=[payload_pb2.ContentBlock(json=b'{"type":"x","t":"a@b.cd"}')]
    )
    schema = b'{"properties":{"password":{"type":"string"}}}'
    given = model_pb2.Prompt(
        target="router",
        messages=[said],
        tools=[model_pb2.ToolOffer(name="t", description="ask a@b.cd", input_schema_json=schema)],
        stop=["a@b.cd", "x"],
        parameters_json=b'{"max_tokens":5}',
    )
    kept = one(model_pb2.ModelServiceGenerateRequest(prompt=given)).prompt
    assert kept.messages[0].metadata_json == b'{"api_key":"[masked]"}'
    assert kept.messages[0].content[0].json == b'{"type":"x","t":"[masked:email]"}'
    assert kept.tools[0].description == "ask [masked:email]"
    assert kept.tools[0].input_schema_json == schema
    assert list(kept.stop) == ["[masked:email]", "x"]
    assert kept.parameters_json == b'{"max_tokens":5}'


def test_other_kinds_of_service_are_masked_as_well() -> None:
    documents = [retriever_pb2.Document(id="1", page_content="a@b.cd", metadata_json=b'{"token":"t"}')]
    kept = one(retriever_pb2.RetrieverServiceRetrieveResponse(documents=documents)).documents[0]
    assert (kept.page_content, kept.metadata_json) == ("[masked:email]", b'{"token":"[masked]"}')
    assert one(embedding_pb2.EmbeddingServiceEmbedRequest(target="e", texts=["a@b.cd"])).texts == ["[masked:email]"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a@b.cd", b"[masked:email]"),
        (b'{"secret":1}', b'{"secret":"[masked]"}'),
        (b"\x89PNG\xff", b""),
        (b"plain", b"plain"),
    ],
)
def test_an_artifact_is_kept_as_far_as_it_can_be_read(data: bytes, expected: bytes) -> None:
    result = tool_pb2.ToolResult(status=1, artifact=payload_pb2.Artifact(media_type="a/b", data=data))
    assert one(tool_pb2.ToolServiceCallResponse(result=result)).result.artifact.data == expected


def test_fields_that_this_gateway_does_not_know_are_not_kept() -> None:
    known = tool_pb2.ToolServiceDescribeRequest(target="calculator").SerializeToString()
    assert messages(tool_pb2.ToolServiceDescribeRequest, [known + b"\xfa\x07\x06a@b.cd"], ()) == [known]
    hidden = b"\x0a\x06a@b.cd" + known
    assert messages(tool_pb2.ToolServiceDescribeRequest, [hidden], ()) == [known]


def test_bytes_that_are_no_such_message_are_not_kept() -> None:
    assert messages(tool_pb2.ToolServiceCallRequest, [b"\xff"], ()) is None
    assert messages(None, [b""], ()) is None


SECRET = [
    *(
        "password",
        "passwd",
        "db_password",
        "Pass-Word",
        "api_key",
        "apiKey",
        "X-API-KEY",
        "token",
        "accessToken",
        "secret",
    ),
    *("client_secret", "Authorization", "cookie", "Set-Cookie", "private_key", "credentials", "pin", "cvv", "jwt"),
]


@pytest.mark.parametrize("name", SECRET)
def test_values_under_such_names_are_masked_whole(name: str) -> None:
    for value in ("x", 17, [1], {"a": "b"}):
        data = orjson.dumps({"deep": [{name: value}]})
        assert orjson.loads(mask_json(data, Names())) == {"deep": [{name: "[masked]"}]}


@pytest.mark.parametrize(
    "name", ["max_tokens", "pins", "author", "pinned", "keyboard", "monkey", "x" * 65 + "password"]
)
def test_values_under_other_names_stay(name: str) -> None:
    data = orjson.dumps({name: 17})
    assert mask_json(data, Names()) == data


@pytest.mark.parametrize("value", [None, "", True, False])
def test_what_tells_nothing_stays_even_there(value: object) -> None:
    data = orjson.dumps({"password": value})
    assert mask_json(data, Names()) == data


def test_names_may_hold_marks_and_numbers_may_be_cards() -> None:
    data = b'{"a@b.cd":4111111111111111,"n":4111111111111112}'
    assert mask_json(data, Names()) == b'{"[masked:email]":"[masked:card]","n":4111111111111112}'


def test_a_value_that_another_of_the_same_name_hides_is_not_kept() -> None:
    assert mask_json(b'{"a": {"password":"x"}, "a": 1}', Names()) == b'{"a":1}'
    assert mask_json(b'{"a": 0, "b": 1}', Names()) == b'{"a": 0, "b": 1}'


def test_what_is_nested_too_deep_is_masked_as_a_whole() -> None:
    fits, too_deep = b"[" * 100 + b"]" * 100, b"[" * 101 + b"]" * 101
    assert mask_json(fits, Names()) == fits
    assert mask_json(too_deep, Names()) == b"[" * 100 + b'"[masked]"' + b"]" * 100


def test_a_stream_whose_events_show_everything_alone_is_kept_masked() -> None:
    kept = stream(delta("Ask "), delta("ada@example.org, "), delta("please."), finished("Ask ada@example.org, please."))
    assert kept is not None
    assert [event.content_delta.text for event in kept[:3]] == ["Ask ", "[masked:email], ", "please."]
    assert kept[3].run_finished.message.content[0].text == "Ask [masked:email], please."


def test_of_a_stream_that_spreads_a_secret_only_the_last_event_is_kept() -> None:
    kept = stream(delta("Ask ada@exam"), delta("ple.org"), finished("Ask ada@example.org"))
    assert kept is not None
    assert [event.run_finished.message.content[0].text for event in kept] == ["Ask [masked:email]"]


def test_of_such_a_stream_that_broke_off_nothing_is_kept() -> None:
    assert stream(delta("Ask ada@exam"), delta("ple.org")) is None
    kept = stream(delta("Ask "), delta("Ada"))
    assert kept is not None
    assert len(kept) == 2


def test_texts_that_do_not_belong_together_are_not_put_together() -> None:
    kept = stream(delta("ada@exam", "m1"), delta("ple.org", "m2"), finished("-"))
    assert kept is not None
    assert len(kept) == 3


def test_fragments_of_json_are_put_together() -> None:
    whole = MODEL_STREAM(
        finished=payload_pb2.Message(tool_requests=[payload_pb2.ToolRequest(args_json=b'{"pin":"1234"}')])
    )
    kept = stream(chunk(b'{"pi'), chunk(b'n":"1234"}'), whole)
    assert kept is not None
    assert [event.finished.tool_requests[0].args_json for event in kept] == [b'{"pin":"[masked]"}']
    kept = stream(chunk(b'{"pi'), chunk(b'n": "1234"}', index=1), whole)
    assert kept is not None
    assert len(kept) == 3


def test_fragments_of_json_with_nothing_in_them_stay() -> None:
    whole = MODEL_STREAM(finished=payload_pb2.Message(tool_requests=[payload_pb2.ToolRequest(args_json=b'{"a": "b"}')]))
    kept = stream(chunk(b'{"a": '), chunk(b'"b"}'), whole)
    assert kept is not None
    assert len(kept) == 3
    kept = stream(chunk(b'{"a": "ada@example.org'), chunk(b'", "b": 1}'), whole)
    assert kept is not None
    assert len(kept) == 3


def test_output_in_pieces_of_json_text_is_put_together() -> None:
    def progress(data: bytes) -> Any:
        return TOOL_STREAM(progress=tool_pb2.ToolProgress(data_json=data))

    end = TOOL_STREAM(result=tool_pb2.ToolResult(status=1))
    kept = stream(progress(b'{"out":"4111 1111 "}'), progress(b'{"out":"1111 1111"}'), end)
    assert kept is not None
    assert len(kept) == 1
    kept = stream(
        progress(b'"4111 1111 "'), progress(b'"1111 1111"'), TOOL_STREAM(result=tool_pb2.ToolResult(status=1))
    )
    assert kept is not None
    assert len(kept) == 1
