"""What is wrong with a journal is said in plain words, with an exit code, and nothing is made by looking."""

from __future__ import annotations

from pathlib import Path

import yaml
from typer.testing import CliRunner

from cli.main import app
from tests.unit.cli.journal.conftest import Run
from tests.unit.cli.journal.world import ROOT, World, write_config


def tail(config: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["journal", "tail", "--config", str(config)])
    return result.exit_code, " ".join(result.stderr.split())


def test_no_journal_yet_is_told_and_none_is_made(tmp_path: Path) -> None:
    code, told = tail(write_config(tmp_path))
    assert code == 1
    assert "there is no journal at .firebreak/journal/journal.db yet" in told
    assert not (tmp_path / ".firebreak").exists()


def test_a_journal_that_is_switched_off_is_told(tmp_path: Path) -> None:
    config = yaml.safe_load(write_config(tmp_path, mode="none").read_text())
    folder = tmp_path / "calculator"
    folder.mkdir()
    service = yaml.safe_load((ROOT / "services/calculator/service.yaml").read_text())
    service.pop("journal", None)
    (folder / "service.yaml").write_text(yaml.safe_dump(service))
    config["services"][0]["path"] = "calculator"
    (tmp_path / "firebreak.yaml").write_text(yaml.safe_dump(config))
    code, told = tail(tmp_path / "firebreak.yaml")
    assert code == 2
    assert "journal.mode: none" in told


def test_a_wrong_configuration_is_told(tmp_path: Path) -> None:
    assert tail(tmp_path / "nothing.yaml")[0] == 2


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    folder = tmp_path / ".firebreak/journal"
    folder.mkdir(parents=True)
    (folder / "journal.db").write_bytes(b"no database" * 1000)
    code, told = tail(config)
    assert code == 1
    assert "the journal cannot be used" in told


def test_a_connection_string_that_is_not_there_is_told(tmp_path: Path) -> None:
    code, told = tail(write_config(tmp_path, store="postgresql", dsn_file="dsn"))
    assert code in (1, 3)
    assert "dsn" in told


def test_every_command_shows_an_example(journal: Run) -> None:
    for command in ("tail", "show", "session", "export", "verify", "erase", "retain"):
        told = CliRunner().invoke(app, ["journal", command, "--help"]).stdout
        assert f"Example: firebreak journal {command}" in " ".join(told.split()).replace("│ ", "")


def test_who_only_reads_leaves_the_journal_as_it_is(world: World, journal: Run) -> None:
    world.session()
    before = world.store.heads()
    for words in (("tail",), ("session", "last"), ("export",), ("verify",)):
        assert journal(*words).exit_code == 0
    assert world.store.heads() == before
