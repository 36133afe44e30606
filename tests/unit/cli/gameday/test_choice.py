"""What the command takes for the name of a fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from cli.gameday.choice import UnknownFault, chosen
from cli.gameday.faults import all_faults
from cli.main import app
from tests.unit.cli.gameday.evidence import FAULT

FAULTS = tuple(
    replace(FAULT, number=number, name=name) for number, name in ((1, "hang"), (2, "Busy loop"), (30, "two majors"))
)


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ([], [1, 2, 30]),
        (["2"], [2]),
        (["30", "1"], [1, 30]),
        (["1-5"], [1, 2]),
        (["busy"], [2]),
        (["a", "2"], [1, 2, 30]),
    ],
)
def test_numbers_ranges_and_names(words: list[str], numbers: list[int]) -> None:
    assert [fault.number for fault in chosen(FAULTS, words)] == numbers


@pytest.mark.parametrize("word", ["3", "unheard of", "5-1", ""])
def test_what_means_nothing_is_told(word: str) -> None:
    if not word:
        assert chosen(FAULTS, [word]) == FAULTS
        return
    with pytest.raises(UnknownFault, match="--list"):
        chosen(FAULTS, [word])


def test_every_row_has_a_number_of_its_own() -> None:
    numbers = [fault.number for fault in all_faults()]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(1, 31))
    assert all(fault.name and fault.expected for fault in all_faults())


def test_the_command_lists_and_refuses() -> None:
    listed = CliRunner().invoke(app, ["gameday", "--list", "1-3"])
    assert listed.exit_code == 0
    assert "sync tool sleeps forever" in listed.stdout
    assert len(listed.stdout.splitlines()) == 3
    refused = CliRunner().invoke(app, ["gameday", "unheard of"])
    assert refused.exit_code == 2
