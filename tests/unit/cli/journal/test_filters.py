"""The options that say which records are wanted."""

from __future__ import annotations

import pytest
import typer

from cli.journal import filters


def wall() -> float:
    return 1_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 1_000_000 - 90),
        ("1.5h", 1_000_000 - 5400),
        ("3d", 1_000_000 - 259_200),
        ("1970-01-02T00:00:00+00:00", 86_400),
        ("1970-01-02T01:00:00.5+01:00", 86_400.5),
        ("1970-01-02T00:00:00Z", 86_400),
    ],
)
def test_an_instant_is_iso_8601_or_how_long_ago(text: str, seconds: float) -> None:
    assert filters.instant(text, "--since", wall) == int(seconds * 1_000_000)


def test_no_instant_is_none() -> None:
    assert filters.instant("", "--since", wall) is None


@pytest.mark.parametrize("text", ["yesterday", "2 h", "2y", "-2h", "2026-13-01", "0001-01-01"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--since"):
        filters.instant(text, "--since", wall)


def test_an_end_that_is_not_behind_its_start_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        filters.where("", "", "", "2026-01-02", "2026-01-02", ())
    assert filters.where("", "", "policy_denied", "2026-01-01", "2026-01-02", ()).outcome == "POLICY_DENIED"
