"""What speaks against a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.gameday.fault import Seen
from tests.unit.cli.gameday.evidence import FAULT, answer, evidence, sample


def test_nothing_speaks_against_a_contained_row() -> None:
    mine = answer("UNAVAILABLE", reason="WORKER_DIED", call_id="1", wanted=("UNAVAILABLE WORKER_DIED",))
    assert evidence(answers=[mine], seen=[Seen((mine,), 0.2)]).problems() == []


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"answers": [answer("OK", wanted=("DEADLINE_EXCEEDED",))]}, "OK instead of DEADLINE_EXCEEDED"),
        (
            {"answers": [answer("UNAVAILABLE", reason="CIRCUIT_OPEN", wanted=("UNAVAILABLE WORKER_DIED",))]},
            "UNAVAILABLE CIRCUIT_OPEN instead of UNAVAILABLE WORKER_DIED",
        ),
        ({"answers": [answer(after=0.3)]}, "OK came 300 ms after it was due, not within 250 ms"),
        ({"answers": [answer()], "unrecorded": ["mine"]}, "unrecorded: OK trace mine"),
        ({"answers": [answer(call_id="1")], "twice": ["mine"]}, "recorded twice: OK 1"),
        ({"more": [sample(900, code="UNAVAILABLE", reason="TARGET_NOT_READY")]}, "1 neighbours' calls ended with UNAVAILABLE"),
        ({"unrecorded": ["trace-3"]}, "unrecorded: OK trace trace-3"),
        ({"pairs": [(5.0, 9.0)] * 5}, "neighbours' p99 9.0 ms beside 5.0 ms: 1.80 times"),
        ({"pairs": []}, "no neighbour's call was measured"),
        ({"pid": 2}, "the gateway is another process"),
        ({"grown": 40.0}, "the gateway grew by 40 MiB"),
        ({"seen": [Seen(recovered=None)]}, "did not become healthy again"),
        ({"seen": [Seen(recovered=6.0)]}, "healthy again after 6.0 s, not within 5 s"),
        ({"seen": [Seen(problems=("the tool still ran",))]}, "the tool still ran"),
    ],
)  # fmt: skip
def test_each_thing_that_leaks_is_told(made: dict[str, Any], told: str) -> None:
    problems = evidence(**made).problems()
    assert len(problems) == 1
    assert told in problems[0]


def test_in_the_short_form_the_machine_may_add_what_it_adds_without_a_fault() -> None:
    late = answer(after=0.4)
    assert replace(evidence(answers=[late], short=True), noise=0.2).problems() == []
    assert "came 400 ms after" in replace(evidence(answers=[late], short=True), noise=0.1).problems()[0]


def test_a_call_that_no_gateway_answered_need_not_be_on_record() -> None:
    gone = answer("UNAVAILABLE", wanted=("UNAVAILABLE",))
    assert evidence(answers=[gone], unrecorded=["mine"]).problems() == []
    shed = answer("DEADLINE_EXCEEDED", wanted=("DEADLINE_EXCEEDED",), arrived=False)
    assert evidence(answers=[shed], unrecorded=["mine"]).problems() == []


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ([4.0, 5.0, 90.0], []),
        ([4.0, 5.1, 90.0], ["rejection_ms is 5.1 in the median, not 5 at most"]),
        ([], []),
    ],
)
def test_a_figure_is_bounded_in_its_median(figures: list[float], told: list[str]) -> None:
    seen = [Seen(figures={"rejection_ms": figure, "other": 1000.0}) for figure in figures] or [Seen()]
    assert evidence(fault=replace(FAULT, at_most={"rejection_ms": 5.0}), seen=seen).problems() == told


def test_neighbours_may_notice_where_the_fault_is_the_gateways() -> None:
    fault = replace(FAULT, isolated=False, gateway_stays=False)
    refused = sample(900, code="UNAVAILABLE", reason="DRAINING")
    assert evidence(fault=fault, more=[refused], pairs=[(5.0, 90.0)], pid=2, grown=50).problems() == []


def test_many_alike_are_told_by_a_few() -> None:
    wrong = [answer("OK", f"t{number}", wanted=("UNAVAILABLE",)) for number in range(9)]
    problems = evidence(answers=wrong).problems()
    assert len(problems) == 4
    assert problems[-1] == "and 6 more such answers"


def test_in_the_short_form_one_slow_call_is_told_and_does_not_count() -> None:
    short = evidence(pairs=[(5.0, 30.0)], short=True)
    assert short.problems() == []
    assert short.comparison is not None
    assert short.comparison.ratio == pytest.approx(6.0)
