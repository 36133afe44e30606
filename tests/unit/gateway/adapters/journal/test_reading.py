"""The journal read back: by id, as a tree, and as what a run was given, byte for byte or with the reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from firebreak.v1 import record_pb2

from gateway.adapters.journal.reading.reader import Erasure, NotFoundError, NotKeptError, Reader, matches
from gateway.adapters.journal.rows import CALL, CLOCK, LOST, STARTED
from gateway.adapters.journal.store import Span, Where
from tests.unit.cli.journal.world import (
    ADA,
    ASSISTANT,
    NOON,
    RUN,
    SESSION,
    World,
    call_id,
    draft,
    prompt,
    run_answer,
    run_request,
    said,
    text,
    tool_answer,
    tool_call,
)

SECOND = 1_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def reader(world: World) -> Reader:
    return Reader(world.store, longest=60.0)


def ids(records: Any) -> list[str]:
    return [record.header.call for record in records]


def test_a_record_reads_its_parts_when_they_are_asked_for(world: World, reader: Reader) -> None:
    world.add(1, request=tool_call("calculator", expression="1"), answers=[tool_answer("1")])
    (record,) = reader.find(Where())
    assert record.person["chain"] == [ADA]
    assert record.content is not None
    assert record.content.answers.messages == (tool_answer("1"),)
    assert (record.started_at, record.took_ms, record.ended) == (NOON, 2.0, True)


def test_contents_that_are_kept_apart_are_found(world: World, reader: Reader) -> None:
    world.add(1, request=b"large", large=True)
    content = reader.show(call_id(1)).content
    assert content is not None
    assert content.request.messages == (b"large",)


class TestShow:
    def test_finds_a_call_by_its_id_or_its_decision(self, world: World, reader: Reader) -> None:
        run, *_ = world.session()
        assert reader.show(run).header.target == "assistant"
        assert reader.show(f"{4:032x}").header.target == "python"

    @pytest.mark.parametrize("digits", [8, 12, 16, 31])
    def test_finds_a_call_by_the_first_digits_alone(self, world: World, reader: Reader, digits: int) -> None:
        world.add(1)
        # Begins otherwise from the 8th digit on: 2^20 ms and more away.
        world.add(2, at=NOON + (1 << 20) * 1000)
        assert reader.show(call_id(1)[:digits]).header.call == call_id(1)

    @pytest.mark.parametrize(("digits", "text"), [(7, "has no call"), (8, "more than one call begins")])
    def test_fewer_digits_or_the_same_of_two_calls_do_not(
        self, world: World, reader: Reader, digits: int, text: str
    ) -> None:
        world.add(1)
        world.add(2)
        with pytest.raises(NotFoundError, match=text) as caught:
            reader.show(call_id(1)[:digits])
        assert (call_id(2) in str(caught.value)) is (digits == 8)

    def test_an_ambiguous_start_names_a_few_calls_only(self, world: World, reader: Reader) -> None:
        for number in range(1, 30):
            world.add(number)
        with pytest.raises(NotFoundError) as caught:
            reader.show(call_id(1)[:8])
        assert str(caught.value).count(call_id(1)[:8]) == 1 + 5

    @pytest.mark.parametrize(("seconds", "found"), [(60 + 59, True), (60 + 62, False)])
    def test_the_start_of_an_id_finds_a_call_that_took_as_long_as_it_may(
        self, world: World, reader: Reader, seconds: int, found: bool
    ) -> None:
        world.add(1, ms=seconds * 1000.0)
        if found:
            assert reader.show(call_id(1)[:13]).header.call == call_id(1)
            return
        with pytest.raises(NotFoundError):
            reader.show(call_id(1)[:13])

    def test_the_end_of_a_call_counts_not_that_it_was_let_through(self, world: World, reader: Reader) -> None:
        world.add(1, opened=True)
        assert not reader.show(call_id(1)).ended
        world.add(1)
        assert reader.show(call_id(1)).ended
        assert reader.show(call_id(1)[:16]).ended

    def test_a_session_is_told_from_a_call(self, world: World, reader: Reader) -> None:
        world.session()
        with pytest.raises(NotFoundError, match=f"firebreak journal session {SESSION}"):
            reader.show(SESSION)


class TestLatest:
    def test_the_newest_come_last_and_each_call_once(self, world: World, reader: Reader) -> None:
        world.add(1, opened=True)
        world.add(2, opened=True)
        world.add(1)
        world.add(3)
        assert ids(reader.latest(Where(), 10)) == [call_id(2), call_id(1), call_id(3)]
        assert ids(reader.latest(Where(), 2)) == [call_id(1), call_id(3)]

    def test_a_call_that_ended_outside_of_what_was_asked_for_is_not_shown_as_open(
        self, world: World, reader: Reader
    ) -> None:
        world.add(1, opened=True)
        world.add(1, ms=5000)
        assert reader.latest(Where(until=NOON + SECOND), 10) == []

    def test_what_came_later_is_left_to_who_follows(self, world: World, reader: Reader) -> None:
        world.add(1)
        ends = reader.ends()
        world.add(2)
        assert ids(reader.latest(Where(), 10, ends)) == [call_id(1)]
        assert ids(reader.after(ends)) == [call_id(2)]
        assert reader.after(ends) == []

    def test_a_writer_that_is_not_known_yet_is_followed_from_its_first_row(
        self, world: World, reader: Reader, tmp_path: Path
    ) -> None:
        ends = reader.ends()
        other = World(tmp_path, writer="b" * 16)
        other.add(1)
        other.close()
        assert [record.header.kind for record in reader.after(ends)] == [STARTED, CALL, "stopped"]
        assert set(ends) == {"a" * 16, "b" * 16}


@pytest.mark.parametrize(
    "where",
    [
        Where(),
        Where(principal=ADA),
        Where(principal=ASSISTANT),
        Where(target="python"),
        Where(outcome="OK"),
        Where(outcome="PERMISSION_DENIED"),
        Where(outcome="POLICY_DENIED"),
        Where(session=SESSION),
        Where(session="other"),
        Where(call=call_id(3)),
        Where(decision=f"{4:032x}"),
        Where(since=NOON + 28_400),
        Where(since=NOON + 28_401),
        Where(until=NOON + 28_400),
        Where(until=NOON + 28_401),
        Where(kinds=(LOST, CLOCK)),
        Where(kinds=(STARTED,)),
    ],
)
def test_who_follows_selects_what_the_store_selects(world: World, reader: Reader, where: Where) -> None:
    world.session()
    world.author.tell(LOST, {"count": 3})
    every = reader.after({})
    assert [record.row for record in every if matches(where, record)] == list(world.store.select(where))


class TestSession:
    def test_calls_stand_below_the_call_that_made_them_in_the_order_of_their_starts(
        self, world: World, reader: Reader
    ) -> None:
        run, *_ = world.session()
        tree = reader.session(SESSION)
        (root,) = tree.roots
        assert root.record.header.call == run
        assert [node.record.header.target for node in root.children] == ["router", "calculator", "python", "router"]
        assert (tree.start, tree.end) == (NOON, NOON + 58_000)
        assert all(one.record.started_at <= two.record.started_at for one, two in pairwise(root.children))

    def test_it_is_found_by_any_of_its_calls(self, world: World, reader: Reader) -> None:
        for name in world.session():
            assert reader.session(name).session == SESSION
        assert reader.session(call_id(4)[:16]).session == SESSION

    def test_a_call_that_did_not_end_is_there_and_one_that_ended_is_there_once(
        self, world: World, reader: Reader
    ) -> None:
        world.add(1, opened=True)
        world.add(2, parent=call_id(1), opened=True)
        world.add(2, parent=call_id(1))
        (root,) = reader.session(SESSION).roots
        assert not root.record.ended
        assert root.record.took_ms is None
        assert [child.record.ended for child in root.children] == [True]

    def test_a_call_whose_parent_is_not_in_the_journal_is_a_root_that_says_so(
        self, world: World, reader: Reader
    ) -> None:
        world.add(2, parent=call_id(1))
        (root,) = reader.session(SESSION).roots
        assert root.orphan

    def test_the_last_one_is_that_of_the_newest_call_of_a_target(self, world: World, reader: Reader) -> None:
        with pytest.raises(NotFoundError, match="no session yet"):
            reader.last_session()
        world.add(1, session="1" * 32)
        world.add(2, session="2" * 32)
        world.add(3, session="3" * 32, target="", method="/firebreak.v1.DecisionService/Explain")
        world.add(4, session="", target="calculator", outcome="UNAUTHENTICATED")
        assert reader.last_session().session == "2" * 32

    def test_a_call_without_a_session_says_so(self, world: World, reader: Reader) -> None:
        world.add(1, session="")
        with pytest.raises(NotFoundError, match="belongs to no session"):
            reader.session(call_id(1))


class TestRun:
    def test_is_what_the_run_was_given_byte_for_byte(self, world: World, reader: Reader) -> None:
        run_id, *_ = world.session()
        run = reader.run(run_id)
        question = "What is 1234 * 5678? Then run it in Python."
        assert run.own.request == run_request(question)
        assert run.own.answers == (run_answer("It is 7006652."),)
        first, tool, denied, last = run.children
        assert first.request == prompt(text(question))
        assert len(first.answers) == 2
        assert (tool.method, tool.request, tool.answers) == (
            "/firebreak.v1.ToolService/Call",
            tool_call("calculator", expression="1234 * 5678"),
            (tool_answer("7006652"),),
        )
        assert (denied.code, denied.reason, denied.answers) == ("PERMISSION_DENIED", "POLICY_DENIED", ())
        assert denied.message == "calls of python by user:ada are not granted"
        assert last.answers == (said("It is 7006652."),)
        assert [(each.start, each.end) for each in run.children] == [
            (4000, 22000),
            (25000, 28400),
            (30000, 30600),
            (33000, 53000),
        ]
        assert (run.session, run.own.start, run.own.end) == (SESSION, 0, 58000)

    def test_what_its_calls_caused_in_turn_is_theirs(self, world: World, reader: Reader) -> None:
        world.add(1, method=RUN)
        world.add(2, parent=call_id(1))
        world.add(3, parent=call_id(2))
        assert [child.call for child in reader.run(call_id(1)).children] == [call_id(2)]

    @pytest.mark.parametrize(
        ("fields", "why"),
        [
            ({"recording": record_pb2.RECORDING_MASKED, "exact": False}, "its request is recorded as 'masked'"),
            ({"recording": record_pb2.RECORDING_HASHED}, "recorded as 'hashed'"),
            ({"recording": record_pb2.RECORDING_NONE}, "recorded as 'none'"),
            ({"opened": True}, "did not end"),
        ],
    )
    def test_what_was_not_kept_exactly_is_told(
        self, world: World, reader: Reader, fields: dict[str, Any], why: str
    ) -> None:
        world.add(1, method=RUN, target="assistant")
        world.add(2, parent=call_id(1), request=b"x", **fields)
        with pytest.raises(NotKeptError, match=why) as caught:
            reader.run(call_id(1))
        assert f"call {call_id(2)} of calculator" in str(caught.value)

    def test_masked_contents_in_which_nothing_was_found_are_exact(self, world: World, reader: Reader) -> None:
        world.add(1, recording=record_pb2.RECORDING_MASKED, request=b"nothing")
        assert reader.run(call_id(1)).own.request == b"nothing"

    def test_what_had_no_room_or_is_gone_is_told(self, world: World, reader: Reader) -> None:
        content = record_pb2.RecordedContent()
        content.answers.CopyFrom(record_pb2.RecordedPart(recording=record_pb2.RECORDING_FULL, count=2, cut=True))  # type: ignore[arg-type]
        content.request.CopyFrom(
            record_pb2.RecordedPart(recording=record_pb2.RECORDING_FULL, count=1, exact=True, sha256=b"\x01" * 32)  # type: ignore[arg-type]
        )
        drafted, _ = draft(1)
        drafted.content = bytes(16) + content.SerializeToString()
        world.author.add([(drafted, ())])
        with pytest.raises(NotKeptError, match="its request is gone"):
            reader.run(call_id(1))
        content.request.Clear()
        content.request.recording = record_pb2.RECORDING_FULL
        drafted, _ = draft(2)
        drafted.content = bytes(16) + content.SerializeToString()
        world.author.add([(drafted, ())])
        with pytest.raises(NotKeptError, match="memory for the journal had run out"):
            reader.run(call_id(2))

    def test_erased_contents_and_calls_without_any_are_told(self, world: World, reader: Reader) -> None:
        world.add(1)
        seq = world.author.head.seq
        world.author.clear([Span("a" * 16, seq, seq)], person=False, content=True, facts={"why": "age"})
        with pytest.raises(NotKeptError, match=r"content was erased \(age\)"):
            reader.run(call_id(1))
        drafted, _ = draft(2)
        drafted.content = None
        world.author.add([(drafted, ())])
        with pytest.raises(NotKeptError, match="nothing of its content was recorded"):
            reader.run(call_id(2))

    def test_a_run_that_is_not_there_is_told(self, reader: Reader) -> None:
        with pytest.raises(NotFoundError, match="has no call"):
            reader.run(call_id(1))


def test_an_erased_part_names_when_and_why(world: World, reader: Reader) -> None:
    world.add(1)
    first = world.author.head.seq
    world.add(2)
    world.now = NOON + 5 * SECOND
    world.author.clear([Span("a" * 16, first, first)], person=True, content=False, facts={"why": "person"})
    one, two = (reader.show(call_id(number)) for number in (1, 2))
    assert (one.person_erased, one.content_erased, two.person_erased) == (True, False, False)
    assert one.person == {}
    assert reader.erasure(one, "person") == Erasure(NOON + 5 * SECOND, "person")
    assert reader.erasure(one, "content") is None
    assert reader.erasure(two, "person") is None
