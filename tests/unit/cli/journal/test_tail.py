"""One line for each call, and what the journal says of itself."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest
from firebreak.v1 import record_pb2

from cli.journal import lines, look
from cli.journal.tail import POLL, following
from gateway.adapters.journal.reading.reader import Reader
from gateway.adapters.journal.rows import CLOCK, LOST
from gateway.adapters.journal.store import Span, Where
from tests.unit.cli.journal.conftest import Run
from tests.unit.cli.journal.world import ADA, NOON, World, call_id, tool_answer, tool_call


def shown(journal: Run, *words: str) -> list[str]:
    """Lines without their times."""
    result = journal("tail", *words)
    assert result.exit_code == 0, result.stderr
    return [line[len("2026-11-21 12:00:00 ") :] for line in result.stdout.splitlines()]


def test_a_line_says_how_what_how_long_who_and_what_was_said(world: World, journal: Run) -> None:
    world.session()
    started, model, tool, denied, _, run = shown(journal)
    assert started == "· gateway 0.1.0 began to write, on test, pid 7"
    assert model.endswith('→ calculator(expression: "1234 * 5678"), python(code: "1234 * 5678")')
    assert tool == (
        f"✓ calculator Call           3.4 ms  service:assistant   {call_id(3)[:16]}"
        '  expression: "1234 * 5678" → 7006652'
    )
    assert denied.startswith("✗ python Call")
    assert denied.endswith('POLICY_DENIED  code: "1234 * 5678" → calls of python by user:ada are not granted')
    assert run.endswith("What is 1234 * 5678? Then run it in Python. → It is 7006652.")


def test_filters_and_number_of_lines(world: World, journal: Run) -> None:
    world.session()
    assert len(shown(journal, "-n", "2")) == 2
    assert len(shown(journal, "--target", "router")) == 2
    assert len(shown(journal, "--outcome", "policy_denied")) == 1
    assert len(shown(journal, "--principal", ADA)) == 5
    assert len(shown(journal, "--since", "2026-11-21T12:00:00.050Z", "--target", "assistant")) == 1
    assert shown(journal, "--until", "2026-11-21T11:00:00Z") == []
    assert "no call on record matches" in journal("tail", "--target", "nobody").stderr


def test_programs_get_objects(world: World, journal: Run) -> None:
    world.session()
    objects = [json.loads(line) for line in journal("tail", "--json", "--target", "python").stdout.splitlines()]
    assert [each["reason"] for each in objects] == ["POLICY_DENIED"]


def test_what_the_journal_says_of_itself(world: World, journal: Run) -> None:
    world.author.tell(LOST, {"count": 37, "why": "the disk is full"})
    world.author.tell(CLOCK, {"wall": NOON, "at": NOON + 2_500_000})
    assert shown(journal)[1:] == [
        "! 37 calls went unrecorded: the disk is full",
        "· the clock went back by 2,500 ms; times stand still until it has caught up",
    ]
    world.author.clear([Span("a" * 16, 2, 3)], person=True, content=True, facts={"why": "person"})
    world.author.drop([Span("a" * 16, 1, 1)], {}, {"why": "age"})
    assert len(shown(journal)) == 2
    assert shown(journal, "--all")[2:] == [
        "· person and content of 2 rows erased: a person's wish",
        "· rows of 0 chains dropped from its start",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"recording": record_pb2.RECORDING_HASHED}, "(41 B, hashed) → (13 B, hashed)"),
        ({"recording": record_pb2.RECORDING_NONE}, "(41 B, not recorded) → (13 B, not recorded)"),
        ({"recording": record_pb2.RECORDING_MASKED, "exact": False}, 'expression: "1" → 1'),
    ],
)
def test_what_is_not_kept_is_told_by_its_size(
    world: World, journal: Run, fields: dict[str, Any], expected: str
) -> None:
    request = tool_call("calculator", expression="1")
    answer = tool_answer("1")
    expected = expected.replace("41 B", f"{len(request)} B").replace("13 B", f"{len(answer)} B")
    world.add(1, request=request, answers=[answer], **fields)
    assert shown(journal)[-1].endswith(expected)


def test_erased_and_open_calls_say_so(world: World, journal: Run) -> None:
    world.add(1, request=tool_call("calculator", x=1))
    seq = world.author.head.seq
    world.author.clear([Span("a" * 16, seq, seq)], person=True, content=True, facts={"why": "age"})
    world.add(2, opened=True)
    world.add(3, outcome="CANCELLED", reason="CANCELLED")
    erased, still_open, cancelled = shown(journal)[1:]
    assert erased.split()[5:] == ["(erased)", call_id(1)[:16], "(erased)"]
    assert still_open.startswith("? calculator Call")
    assert still_open.endswith("did not end")
    assert cancelled.startswith("– calculator Call")


def test_who_follows_sees_calls_when_they_end(world: World) -> None:
    reader = Reader(world.store)
    ends = reader.ends()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        world.add(len(waits), opened=True)
        world.add(len(waits), target="python" if len(waits) > 1 else "calculator")

    found = list(islice(following(reader, Where(target="python"), ends, wait), 2))
    assert [record.header.call for record in found] == [call_id(2), call_id(3)]
    assert all(record.ended for record in found)
    assert waits == [POLL] * 3


def test_every_kind_of_control_row_has_its_words() -> None:
    from gateway.adapters.journal.rows import CONTROL

    assert set(lines._CONTROL) == CONTROL


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (None, "-"),
        (0.04, "0.0 ms"),
        (99.94, "99.9 ms"),
        (100.0, "100 ms"),
        (9_999.4, "9,999 ms"),
        (10_000.0, "10.0 s"),
        (599_940.0, "599.9 s"),
        (600_000.0, "10 min"),
    ],
)
def test_durations(milliseconds: float | None, expected: str) -> None:
    assert look.took(milliseconds) == expected


@pytest.mark.parametrize(("length", "expected"), [(21, 9), (41, 19)])
def test_a_long_exchange_gives_both_sides_their_share(world: World, length: int, expected: int) -> None:
    world.add(1, request=tool_call("x", a="b" * 100), answers=[tool_answer("c" * 100)])
    line = look.exchange(Reader(world.store).show(call_id(1)), length)
    asked, came = line.plain.split(" → ")
    assert len(line.plain) <= length
    assert (len(asked), len(came)) == (expected, expected)


def test_a_short_side_leaves_its_room_to_the_other(world: World) -> None:
    world.add(1, request=tool_call("x", a=1), answers=[tool_answer("c" * 100)])
    assert look.exchange(Reader(world.store).show(call_id(1)), 40).plain == "a: 1 → " + "c" * 32 + "…"
