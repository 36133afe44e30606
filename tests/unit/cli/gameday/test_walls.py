"""What counts as a leak of the walls."""

from __future__ import annotations

import pytest

from cli.gameday.faults.walls import Attempt, problems
from cli.gameday.out_of_reach import BELOW, FILES, FOLDERS, KNOBS, SOCKETS

REFUSED = Attempt("mount", "refused", "EPERM")
ABSENT = Attempt("reading /etc/shadow", "not there", "ENOENT")
DOOR = {"the door": "connected"}


def test_what_was_refused_or_is_not_there_is_no_problem() -> None:
    assert problems("kernel", [REFUSED, ABSENT]) == []


@pytest.mark.parametrize("outcome", ["reached", "REFUSED", ""])
def test_anything_else_is_one_and_is_named(outcome: str) -> None:
    found = problems("files", [REFUSED, Attempt("reading /etc/shadow", outcome, "read")])
    assert found == [f"files: reading /etc/shadow: {outcome} (read)"]


def test_each_attempt_that_got_through_is_told() -> None:
    attempts = [Attempt(f"reading {name}", "reached", "read") for name in ("/a", "/b", "/c", "/d")]
    assert len(problems("files", attempts)) == 4


@pytest.mark.parametrize("attempts", [[], [Attempt("the door", "reached", "connected")]])
def test_nothing_tried_is_nothing_proven(attempts: list[Attempt]) -> None:
    assert "sockets: nothing was tried" in problems("sockets", attempts, DOOR)


def test_the_open_way_must_be_reached() -> None:
    assert problems("sockets", [REFUSED, Attempt("the door", "reached", "connected")], DOOR) == []


@pytest.mark.parametrize(
    ("outcome", "how"), [("refused", "EACCES"), ("not there", "ENOENT"), ("reached", "as far as ETIMEDOUT")]
)
def test_where_the_open_way_is_shut_the_others_prove_nothing(outcome: str, how: str) -> None:
    found = problems("sockets", [REFUSED, Attempt("the door", outcome, how)], DOOR)
    assert found == [f"sockets: the door is open, and was not reached: {outcome}, {how}"]


def test_the_open_way_must_be_tried() -> None:
    assert problems("sockets", [REFUSED], DOOR) == ["sockets: the door was not tried"]


def test_what_every_machine_has_is_named_in_full() -> None:
    assert all(path.startswith("/") for path in (*FILES, *BELOW, *FOLDERS, *KNOBS, *SOCKETS))
