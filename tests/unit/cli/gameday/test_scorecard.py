"""The scorecard for programs, people and browsers."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cli.gameday import page, table
from cli.gameday.fault import Seen
from cli.gameday.measure import Window
from cli.gameday.scene import Mark
from cli.gameday.scorecard import GOALS, Row, Scorecard, Timeline, row_of
from cli.gameday.verdict import Verdict
from tests.unit.cli.gameday.evidence import answer, evidence, rounds, sample

NOT_RUN = Row(19, "network", Verdict.NOT_RUN, "refused", notes=("needs bwrap",))


def contained() -> Row:
    mine = answer("UNAVAILABLE", reason="<b>DIED</b>", took=0.5, after=0.02, wanted=("UNAVAILABLE",))
    seen = [Seen((mine,), 0.1, ("forks: 60",), {"next_call_ms": figure}) for figure in (4.0, 8.0, 5.0)]
    windows, samples = rounds((5.0, 5.5), (5.0, 5.5))
    made = evidence(answers=[mine], seen=seen, pairs=[(5.0, 5.5), (5.0, 5.5)])
    return row_of(made, Timeline(samples, windows, (Mark(1.5, "killed & gone"),)))


def leaked() -> Row:
    return row_of(evidence(pairs=[(5.0, 50.0)], unrecorded=["trace-1"], more=[sample(900, code="UNKNOWN")]), Timeline())


def card(*rows: Row, growth: float | None = 3.25) -> Scorecard:
    return Scorecard("2026-01-01T00:00:00+00:00", "0.1.0", False, rows, growth)


def test_a_row_has_what_was_seen_and_how_long_it_took() -> None:
    row = contained().as_object()
    assert (row["number"], row["name"], row["verdict"]) == (7, "fork bomb", "contained")
    assert (row["saw"], row["answer_ms"], row["deadline_over_ms"]) == ("UNAVAILABLE <b>DIED</b>", 500, 20)
    assert row["neighbours"]["undisturbed"] == {"p50": 5.0, "p99": 5.0}
    assert row["neighbours"]["disturbed"] == {"p50": 5.5, "p99": 5.5}
    assert row["neighbours"]["ratio"] == 1.1
    assert (row["recovery_ms"], row["lost"], row["unrecorded"]) == (100, 0, 0)
    assert row["figures"] == {"next_call_ms": 5.0}
    assert row["notes"] == ["forks: 60"]
    assert row["problems"] == []


def test_a_leaked_row_counts_what_was_lost_and_unrecorded() -> None:
    row = leaked()
    assert row.verdict is Verdict.LEAKED
    assert (row.lost, row.unrecorded) == (1, 1)
    assert card(contained(), row).leaked
    assert not card(contained(), NOT_RUN).leaked


def test_the_summary_has_the_numbers_to_reach() -> None:
    summary = card(contained(), leaked(), NOT_RUN).summary()
    assert set(GOALS) <= set(summary)
    assert summary["next_call_ms"] == 5.0
    assert summary["kill_after_cancel_ms"] is None
    assert summary["neighbours_p99_ratio"] == pytest.approx(5.55)
    assert summary["neighbours_p99_ratio_max"] == pytest.approx(10.0)
    assert (summary["gateway_memory_growth_mib"], summary["unrecorded"]) == (3.25, 1)


def test_what_neighbours_are_meant_to_notice_is_told_and_does_not_count() -> None:
    overload = replace(leaked(), isolated=False)
    assert overload.as_object()["neighbours"]["ratio"] == 10.0
    summary = card(contained(), overload).summary()
    assert summary["neighbours_p99_ratio"] == summary["neighbours_p99_ratio_max"] == pytest.approx(1.1)


def test_goals_are_met_at_the_bound() -> None:
    assert GOALS["unrecorded"].met(0)
    assert not GOALS["unrecorded"].met(1)
    assert GOALS["goodput_ratio"].met(0.9)
    assert not GOALS["goodput_ratio"].met(0.89)


def test_the_file_is_json_as_promised(tmp_path: Path) -> None:
    card(contained(), NOT_RUN).write(tmp_path / "scorecard.json")
    written = json.loads((tmp_path / "scorecard.json").read_text())
    assert set(written) == {"started", "version", "short", "machine", "rows", "summary"}
    assert [row["number"] for row in written["rows"]] == [7, 19]
    assert written["rows"][1]["neighbours"] is None
    assert [file.name for file in tmp_path.iterdir()] == ["scorecard.json"]


def test_the_table_tells_rows_problems_and_goals(capsys: pytest.CaptureFixture[str]) -> None:
    table.show(card(contained(), leaked(), NOT_RUN))
    shown = capsys.readouterr().out
    assert "1 contained, 1 leaked, 1 not run" in shown
    assert "unrecorded: OK trace trace-1" in shown
    assert "was not run: needs bwrap" in shown
    assert "next call on a warm worker" in shown
    assert "\x1b" not in shown  # no colour outside a terminal


class Elements(HTMLParser):
    """Counts elements, and collects what would be loaded from elsewhere; fails where one is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.outside: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.outside += [
            value for name, value in attrs if name in ("src", "href") and value and not value.startswith("#")
        ]
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    made = page.html(card(contained(), leaked(), NOT_RUN))
    elements = Elements()
    elements.feed(made)
    assert not elements.outside
    assert "script" not in elements.count
    assert "url(" not in made
    assert "@import" not in made
    assert elements.count["article"] == 3
    assert elements.count["svg"] == 1
    assert elements.count["circle"] == 160
    assert made.count('class="tile ') == len(GOALS)
    assert "<b>DIED</b>" not in made
    assert "killed &amp; gone" in made


def test_a_timeline_shades_the_faults_windows_only() -> None:
    made = page.svg(Timeline([sample(0)], [Window(0, 1, False), Window(1, 2, True), Window(2, 3, False)]), "one")
    assert made.count('class="fault"') == 1
    assert page.svg(Timeline(), "none") == ""
