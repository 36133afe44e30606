"""The journal that the configuration asks for, with its real parts."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.adapters.journal.heads import read_heads
from gateway.adapters.journal.store import Store, StoreError
from gateway.adapters.journal.writing import make as make_module
from gateway.adapters.journal.writing.make import NoJournal, make_journal
from gateway.adapters.journal.writing.writer import JournalWriter
from gateway.config import Journal
from gateway.service import Finish
from tests.unit.gateway.chain_fakes import call


def make(folder: Path, commits: list[float], **settings: Any) -> JournalWriter | NoJournal:
    return make_journal(
        Journal.model_validate(settings),
        folder,
        version="0.1.0",
        loop=asyncio.get_running_loop(),
        wall=time.time,
        random=lambda: 0.5,
        committed=commits.append,
    )


@pytest.mark.parametrize("mode", ["required", "best-effort"])
async def test_calls_are_kept_in_the_file_that_is_named(tmp_path: Path, mode: str) -> None:
    commits: list[float] = []
    journal = make(tmp_path, commits, mode=mode, path="a/b.db", heads="c")
    journal.start()
    journal.ended(call(), Finish())
    await asyncio.to_thread(journal.close, 10.0)
    with closing(sqlite3.connect(tmp_path / "a/b.db")) as database:
        headers = [orjson.loads(header) for (header,) in database.execute("SELECT header FROM rows ORDER BY id")]
    assert [header[3] for header in headers] == ["started", "call", "stopped"]
    started = headers[0][12]
    assert (started["gateway"], started["journal"], started["heads"]) == ("0.1.0", mode, {})
    assert started["pid"] > 0
    assert read_heads(tmp_path / "c")[headers[0][0]].seq == 3
    assert len(commits) == 1


async def test_none_keeps_nothing_and_is_in_nobodys_way(tmp_path: Path) -> None:
    journal = make(tmp_path, [], mode="none")
    assert isinstance(journal, NoJournal)
    journal.start()
    journal.check()
    await journal.opened(call())
    made = call()
    journal.answered(made, b"x")
    assert journal.ended(made, Finish()) is None
    journal.close(1.0)
    assert (journal.required, journal.report(), journal.missing()) == (False, {"mode": "none"}, {})
    assert made.facts.answers == []
    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_cannot_be_opened_is_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where the folder should be")
    journal = make(tmp_path, [], path="a/b.db")
    journal.start()
    async with asyncio.timeout(30):
        while journal.report()["failing"] in ("", "the journal is not open yet"):
            await asyncio.sleep(0.001)
    await asyncio.to_thread(journal.close, 1.0)


@pytest.mark.parametrize(
    ("settings", "durable"),
    [
        ({"mode": "required"}, True),
        ({"mode": "best-effort"}, False),
        ({"mode": "best-effort", "store": "postgresql", "dsn_file": "dsn"}, True),
    ],
)
async def test_rows_are_durable_where_they_are_waited_for_or_the_database_may_outlive_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], durable: bool
) -> None:
    asked: list[bool] = []

    def opened(settings: Journal, root: Path, *, durable: bool) -> Store:
        asked.append(durable)
        raise StoreError("not in this test")

    monkeypatch.setattr(make_module, "open_store", opened)
    journal = make(tmp_path, [], **settings)
    journal.start()
    async with asyncio.timeout(30):
        while not asked:
            await asyncio.sleep(0.001)
    await asyncio.to_thread(journal.close, 1.0)
    assert set(asked) == {durable}
