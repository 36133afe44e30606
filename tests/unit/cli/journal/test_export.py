"""Records written for other programs, whole or not at all."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from cli.journal import export, parquet
from gateway.adapters.journal.reading.reader import Reader
from gateway.adapters.journal.store import Span, Where
from tests.unit.cli.journal.conftest import Run
from tests.unit.cli.journal.world import ADA, NOON, World, call_id, draft, tool_answer, tool_call


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_has_everything_that_is_kept(world: World, journal: Run) -> None:
    world.add(1, request=tool_call("calculator", expression="1"), answers=[tool_answer("1")], rules=["grants.all"])
    (found,) = lines(journal("export").stdout)
    assert (found["call"], found["at"], found["principal"]) == (call_id(1), "2026-11-21T12:00:00.002000Z", ADA)
    assert found["facts"]["decision"]["rules"] == ["grants.all"]
    assert found["person"]["chain"] == [ADA]
    assert found["content"]["request"]["messages"] == [
        {"call": {"target": "calculator", "args_json": {"expression": "1"}}}
    ]
    assert found["content"]["answers"]["exact"]


def test_filters_and_rows_of_the_journal_itself(world: World, journal: Run) -> None:
    world.session()
    assert [each["target"] for each in lines(journal("export", "--outcome", "POLICY_DENIED").stdout)] == ["python"]
    assert len(lines(journal("export").stdout)) == 5
    assert lines(journal("export", "--all").stdout)[0]["kind"] == "started"


def test_a_file_is_its_owners_alone_and_says_how_much_is_in_it(world: World, journal: Run, tmp_path: Path) -> None:
    world.session()
    out = tmp_path / "calls.jsonl"
    result = journal("export", "--out", str(out))
    assert "5 records in" in result.stderr
    assert len(lines(out.read_text())) == 5
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not out.with_name("calls.jsonl.part").exists()


def test_an_export_that_fails_leaves_the_one_before(
    world: World, journal: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "calls.jsonl"
    out.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write_lines", full)
    result = journal("export", "--out", str(out))
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert out.read_text() == "before"
    assert not out.with_name("calls.jsonl.part").exists()


def test_parquet_has_the_same_in_columns(world: World, journal: Run, tmp_path: Path) -> None:
    world.session()
    world.add(9, request=tool_call("calculator", expression="1"))
    seq = world.author.head.seq
    world.author.clear([Span("a" * 16, seq, seq)], person=True, content=True, facts={"why": "age"})
    out = tmp_path / "calls.parquet"
    assert journal("export", "--format", "parquet", "--out", str(out)).exit_code == 0
    rows = pyarrow.parquet.read_table(out).to_pylist()
    assert [row["target"] for row in rows[:2]] == ["router", "calculator"]
    assert rows[1]["ms"] == 3.4
    assert int(rows[1]["at"].timestamp() * 1_000_000) == NOON + 28_400
    assert json.loads(rows[1]["content"])["answers"]["count"] == 1
    assert (json.loads(rows[-1]["person"]), json.loads(rows[-1]["content"])) == ("erased", "erased")
    assert rows[-1]["principal"] is None


@pytest.mark.parametrize(
    ("rows", "characters", "groups"), [(2, 1 << 20, [2, 2, 1]), (5, 1 << 20, [5]), (100, 1, [1] * 5)]
)
def test_a_row_group_is_bounded_by_rows_and_by_size(
    world: World, monkeypatch: pytest.MonkeyPatch, rows: int, characters: int, groups: list[int]
) -> None:
    world.session()
    monkeypatch.setattr(parquet, "_ROWS", rows)
    monkeypatch.setattr(parquet, "_CHARACTERS", characters)
    assert [len(group) for group in parquet._groups(Reader(world.store).find(Where()))] == groups


def test_parquet_without_pyarrow_says_what_to_run(
    journal: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = journal("export", "--format", "parquet", "--out", str(tmp_path / "x"))
    assert result.exit_code == 1
    assert "python3 scripts/setup.py parquet" in result.stderr


def test_parquet_needs_a_file(journal: Run) -> None:
    result = journal("export", "--format", "parquet")
    assert result.exit_code == 2
    assert "--out" in result.stderr


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "𝄞", 2**70])
def test_whatever_a_caller_sent_can_be_written(world: World, journal: Run, odd: object) -> None:
    row, _ = draft(1)
    row.person = bytes(16) + json.dumps({"claims": odd}).encode()
    world.author.add([(row, ())])
    assert lines(journal("export").stdout)[0]["person"] == {"claims": odd}
