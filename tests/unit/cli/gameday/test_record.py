"""What is read of a journal while it is written."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import cast

import pytest

from cli.gameday.instance import PrivateInstance
from cli.gameday.record import Journal
from gateway.adapters.journal.rows import FACTS
from tests.unit.cli.gameday.evidence import answer


class Instance:
    """Has a journal and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.state = folder
        (folder / "journal").mkdir()
        self._rows = sqlite3.connect(folder / "journal/journal.db")
        self._rows.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, call TEXT, kind TEXT, header TEXT)")

    def write(self, call: str, trace: str, kind: str = "call") -> None:
        header = [*[""] * FACTS, {"trace": trace, "attempts": [{}, {}]}]
        self._rows.execute("INSERT INTO rows (call, kind, header) VALUES (?, ?, ?)", (call, kind, json.dumps(header)))
        self._rows.commit()

    def close(self) -> None:
        self._rows.close()


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


def journal(instance: Instance) -> Journal:
    return Journal(cast(PrivateInstance, instance))


def test_a_call_is_known_by_its_id_and_by_its_trace(instance: Instance) -> None:
    instance.write("id-1", "trace-1", "opened")
    instance.write("id-1", "trace-1")
    found = journal(instance).read()
    assert found.problem(answer(call_id="id-1")) == ""
    assert found.problem(answer("DEADLINE_EXCEEDED", "trace-1")) == ""
    assert found.problem(answer(call_id="id-2")) == "unrecorded"
    assert len(found.facts["trace-1"]["attempts"]) == 2
    instance.close()


def test_what_is_written_later_is_read_later(instance: Instance) -> None:
    reading = journal(instance)
    instance.write("id-1", "trace-1")
    assert reading.read().ids == {"id-1": 1}
    instance.write("id-1", "trace-1")
    assert reading.read().problem(answer(call_id="id-1")) == "recorded twice"
    instance.close()


def test_it_is_waited_for_until_every_call_is_there(instance: Instance) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        instance.write(f"id-{len(naps)}", f"trace-{len(naps)}")

    found = journal(instance).settled([answer(call_id="id-1"), answer(call_id="id-2")], sleep)
    assert len(naps) == 2
    assert found.problem(answer(call_id="id-2")) == ""
    instance.close()


def test_an_instance_without_a_journal_has_no_rows(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    instance.close()
    (tmp_path / "journal/journal.db").unlink()
    assert not journal(instance).read().ids
