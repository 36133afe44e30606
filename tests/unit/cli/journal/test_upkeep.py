"""Proved whole, or what is wrong; and what must go is gone."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.unit.cli.journal.conftest import Run
from tests.unit.cli.journal.world import ADA, World, call_id, tool_call, write_config


def database(world: World) -> Path:
    return world.root / world.settings.path


def edit(world: World, statement: str) -> None:
    """What somebody does behind the journal's back."""
    with sqlite3.connect(database(world)) as connection:
        connection.execute(statement)
    connection.close()


class TestVerify:
    def test_a_whole_journal_says_so_and_hands_out_a_witness(self, world: World, journal: Run) -> None:
        world.session()
        result = journal("verify")
        assert result.exit_code == 0, result.stdout
        assert result.stdout.startswith("✓ whole: nothing was changed, left out, reordered or cut off\n")
        head = world.author.head
        assert f"--head {'a' * 16}:{head.seq}:{head.hash.hex()}" in result.stdout
        report = json.loads(journal("verify", "--json").stdout)
        assert (report["whole"], report["rows"], report["problems"]) == (True, 6, [])
        assert report["heads"] == [f"{'a' * 16}:{head.seq}:{head.hash.hex()}"]

    def test_a_changed_row_is_found_with_exit_code_1(self, world: World, journal: Run) -> None:
        world.session()
        edit(world, "UPDATE rows SET principal = 'user:eve' WHERE seq = 3")
        result = journal("verify")
        assert result.exit_code == 1
        assert f"{'a' * 16}:3" in result.stdout
        assert "✗ not whole: 1 problem" in result.stdout
        report = json.loads(journal("verify", "--json").stdout)
        assert (report["whole"], [each["seq"] for each in report["problems"]]) == (False, [3])

    def test_a_chain_that_is_cut_off_is_found_by_its_note(self, world: World, journal: Run) -> None:
        world.session()
        edit(world, "DELETE FROM rows WHERE seq > 4")
        edit(world, "UPDATE writers SET seq = 4, hash = (SELECT hash FROM rows WHERE seq = 4)")
        assert journal("verify").exit_code == 1
        assert journal("verify", "--heads", "elsewhere").exit_code == 0  # no note, no other witness

    def test_a_witness_from_elsewhere_finds_it_too(self, world: World, journal: Run) -> None:
        world.session()
        late = world.author.head
        edit(world, "DELETE FROM rows WHERE seq > 4")
        edit(world, "UPDATE writers SET seq = 4, hash = (SELECT hash FROM rows WHERE seq = 4)")
        given = f"{'a' * 16}:{late.seq}:{late.hash.hex()}"
        assert journal("verify", "--heads", "elsewhere", "--head", given).exit_code == 1

    def test_an_early_witness_must_agree_with_its_row(self, world: World, journal: Run) -> None:
        row = world.store.row("a" * 16, 1)
        assert row is not None
        world.session()
        right = f"{'a' * 16}:1:{row.hash.hex()}"
        assert journal("verify", "--head", right).exit_code == 0
        result = journal("verify", "--head", right, "--head", f"{'a' * 16}:1:{'0' * 64}")
        assert result.exit_code == 1
        assert "not the one that was kept elsewhere" in result.stdout

    @pytest.mark.parametrize("head", ["", "a:1", "a:x:" + "0" * 64, "a:1:" + "0" * 63])
    def test_a_witness_that_cannot_be_read_is_refused(self, journal: Run, head: str) -> None:
        result = journal("verify", "--head", head)
        assert result.exit_code == 2
        assert "WRITER:SEQ:HASH" in result.stderr

    def test_a_note_that_cannot_be_read_is_told(self, world: World, journal: Run) -> None:
        (world.root / world.settings.heads / "odd").write_text("not a note")
        result = journal("verify")
        assert result.exit_code == 1
        assert "odd is not the note of a chain's end" in " ".join(result.stderr.split())

    def test_a_note_that_is_gone_when_it_is_read_is_no_alarm(self, world: World, journal: Run) -> None:
        heads = world.root / world.settings.heads
        (heads / "gone").symlink_to(heads / "nowhere")
        result = journal("verify")
        assert result.exit_code == 0, result.stderr


class TestErase:
    def test_a_person_goes_from_the_rows_and_from_the_files(self, world: World, journal: Run) -> None:
        world.session()
        world.add(9, session="9" * 32, principal="user:bob", request=tool_call("calculator", expression="987654321"))
        result = journal("erase", ADA, "--yes")
        assert result.exit_code == 0, result.stderr
        assert "erased from 5 rows" in result.stdout
        kept = b"".join(file.read_bytes() for file in database(world).parent.glob("journal.db*"))
        assert b"1234 * 5678" not in kept
        assert ADA.encode() not in kept
        assert b"987654321" in kept
        assert journal("verify").exit_code == 0
        assert "(erased)" in journal("session", call_id(1)).stdout
        assert "a person's wish" in journal("tail", "--all").stdout

    def test_it_asks_where_somebody_can_answer_and_else_refuses(self, world: World, journal: Run) -> None:
        world.session()
        result = journal("erase", ADA)
        assert result.exit_code == 2
        assert "--yes" in result.stderr
        assert len(json.loads(journal("show", call_id(1), "--json").stdout)["person"]["chain"]) == 1

    @pytest.mark.parametrize(("answer", "code", "erased"), [("y\n", 0, True), ("n\n", 1, False)])
    def test_the_answer_counts(
        self, world: World, journal: Run, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, erased: bool
    ) -> None:
        world.session()
        monkeypatch.setattr("cli.journal.upkeep._can_ask", lambda: True)
        result = journal("erase", ADA, input=answer)
        assert result.exit_code == code, result.stderr
        assert "5 rows of user:ada" in result.stderr
        person = json.loads(journal("show", call_id(1), "--json").stdout)["person"]
        assert (person == "erased") is erased

    def test_nobody_is_told(self, world: World, journal: Run) -> None:
        result = journal("erase", "user:nobody", "--json")
        assert json.loads(result.stdout) == {"principal": "user:nobody", "rows": 0}
        assert "nothing of user:nobody" in journal("erase", "user:nobody").stdout


class TestRetain:
    def test_what_is_older_than_allowed_goes(self, tmp_path: Path, journal: Run) -> None:
        write_config(tmp_path, retention={"content": "1s", "person": "1h", "record": "36500d"})
        old = World(tmp_path, writer="c" * 16)
        old.add(1, request=tool_call("calculator", expression="1"))
        old.close()
        result = journal("retain")
        assert result.exit_code == 0, result.stderr
        assert "retention is applied" in result.stdout
        assert journal("verify").exit_code == 0
        assert "older than retention allows" in journal("tail", "--all").stdout
        assert set(json.loads(journal("retain", "--json").stdout)) == {"bytes_before", "bytes_after"}
