"""The account of a run: everything once, in order, whatever the framework repeats."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from firebreak.v1 import agent_pb2, payload_pb2
from firebreak_runtime.objects.journal import Journal
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage, ToolMessage

CALL: Any = {"name": "add", "args": {"a": 1}, "id": "c-1", "type": "tool_call"}


class Written:
    """Takes events as a slow reader would."""

    def __init__(self) -> None:
        self.events: list[agent_pb2.AgentServiceRunResponse] = []

    async def send(self, message: bytes) -> None:
        await asyncio.sleep(0)
        self.events.append(agent_pb2.AgentServiceRunResponse.FromString(message))

    @property
    def kinds(self) -> list[str]:
        return [str(event.WhichOneof("event")) for event in self.events]


async def test_chunks_then_the_whole_message() -> None:
    written = Written()
    journal = Journal(written.send)

    await journal.chunk(AIMessageChunk(content="he", id="m"))
    await journal.chunk(AIMessageChunk(content="llo", id="m"))
    await journal.message(AIMessage("hello", id="m"))
    await journal.message(AIMessage("hello", id="m"))
    await journal.chunk(AIMessageChunk(content="late", id="m"))

    assert written.kinds == ["message_started", "content_delta", "content_delta", "message_finished"]


async def test_an_empty_chunk_of_another_id_is_no_message() -> None:
    written = Written()
    journal = Journal(written.send)

    await journal.chunk(AIMessageChunk(content="hello", id="provider-id"))
    await journal.chunk(AIMessageChunk(content="", id="run-id"))

    assert written.kinds == ["message_started", "content_delta"]


async def test_a_message_that_was_not_streamed_has_its_text_as_one_delta() -> None:
    written = Written()

    await Journal(written.send).message(HumanMessage("hello"))

    assert written.kinds == ["message_started", "content_delta", "message_finished"]
    assert written.events[0].message_started.role == payload_pb2.ROLE_USER
    assert written.events[0].message_started.message_id == written.events[2].message_finished.message.id != ""


async def test_what_the_caller_sent_is_not_told_back() -> None:
    written = Written()

    await Journal(written.send, frozenset({"m"})).message(HumanMessage("hello", id="m"))

    assert written.events == []


async def test_a_tool_call_starts_once_and_ends_once() -> None:
    written = Written()
    journal = Journal(written.send)

    await journal.message(AIMessage("", tool_calls=[CALL], id="m"))
    await journal.tool_started("c-1", "add", b"{}")
    await journal.tool_output("c-1", b"1")
    await journal.message(ToolMessage("2", tool_call_id="c-1"))
    await journal.tool_finished(ToolMessage("2", tool_call_id="c-1"))

    assert written.kinds == ["message_started", "message_finished", "tool_started", "tool_output", "tool_finished"]
    assert written.events[-1].tool_finished.name == "add"


async def test_an_answer_whose_call_was_never_seen_still_has_a_start() -> None:
    written = Written()

    await Journal(written.send).tool_finished(ToolMessage("2", tool_call_id="c-1", name="add"))

    assert written.kinds == ["tool_started", "tool_finished"]


async def test_what_is_no_message_of_a_conversation_is_left_out() -> None:
    written = Written()

    await Journal(written.send).message(RemoveMessage(id="m"))

    assert written.events == []


async def test_a_state_that_is_no_json_is_marked() -> None:
    written = Written()

    await Journal(written.send).updated("node", {"it": object()})

    assert orjson.loads(written.events[0].state_updated.update_json) == {"it": {"not_json": "builtins.object"}}


async def test_numbers_and_order_stay_together_across_tasks() -> None:
    written = Written()
    journal = Journal(written.send)

    await asyncio.gather(*(journal.tool_started(f"c-{number}", "add", b"{}") for number in range(20)))

    assert [event.seq for event in written.events] == list(range(1, 21))


async def test_a_journal_that_only_listens_sends_nothing() -> None:
    journal = Journal(None)

    await journal.message(AIMessage("hello"))

    assert not journal.streams


CHUNK: Any = AIMessageChunk(
    content="",
    id="m",
    tool_call_chunks=[{"name": "add", "args": '{"a', "id": "c", "index": 4, "type": "tool_call_chunk"}],
)


async def test_whole_chunks_are_told_only_where_they_are_asked_for() -> None:
    plain, whole = Written(), Written()

    for journal in (Journal(plain.send), Journal(whole.send, whole_chunks=True)):
        await journal.chunk(AIMessageChunk(content="hello", id="m"))
        await journal.chunk(CHUNK)
        await journal.chunk(AIMessageChunk(content="", id="m"))
        await journal.message(AIMessage("hello", id="m", tool_calls=[CALL]))
        await journal.message(AIMessage("at once", id="n"))

    deltas = [event.content_delta for event in whole.events if event.HasField("content_delta")]
    assert [event.content_delta.text for event in plain.events if event.HasField("content_delta")] == [
        "hello",
        "at once",
    ]
    assert [(delta.text, delta.HasField("chunk")) for delta in deltas] == [("hello", False), ("", True)]
    assert (deltas[1].chunk.tool_requests[0].args_json, deltas[1].chunk.tool_requests[0].index) == (b'{"a', 0)


async def test_an_update_names_its_messages_and_what_it_takes_out() -> None:
    written = Written()
    changed = HumanMessage("new words", id="q")

    await Journal(written.send).updated("node", {"n": 1}, [RemoveMessage(id="r"), changed], [changed])
    await Journal(written.send).updated("silent", None)

    first, second = (event.state_updated for event in written.events)
    assert (first.node, first.update_json, list(first.message_ids), list(first.removed_ids)) == (
        "node",
        b'{"n":1}',
        ["q"],
        ["r"],
    )
    assert [message.content[0].text for message in first.changed] == ["new words"]
    assert (second.node, second.update_json) == ("silent", b"")


async def test_states_are_asked_for_and_need_a_stream() -> None:
    assert Journal(Written().send, states=True).states
    assert not Journal(Written().send).states
    assert not Journal(None, states=True).states


async def test_reports_and_states_are_events() -> None:
    written = Written()
    journal = Journal(written.send, states=True)

    await journal.custom({"half": "way"})
    await journal.reached({"n": 1}, [HumanMessage("x", id="q")], [])

    assert written.kinds == ["custom", "state_reached"]
    assert orjson.loads(written.events[0].custom.data_json) == {"half": "way"}
    reached = written.events[1].state_reached
    assert (orjson.loads(reached.state_json), list(reached.message_ids)) == ({"n": 1}, ["q"])
