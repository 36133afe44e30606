"""Opening a journal: made where there is none, brought up to date, and refused in plain words where it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.adapters.journal.databases.open import open_store
from gateway.adapters.journal.databases.postgresql import PostgresqlStore
from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.rows import Chain
from gateway.adapters.journal.store import Batch, Store, StoreError, Where
from gateway.config import Journal
from tests.contract.journal.conftest import Place
from tests.contract.journal.postgres_server import PostgresServer
from tests.contract.journal.samples import rows

FURTHER = ("CREATE TABLE further(note TEXT)", "CREATE INDEX further_by_note ON further(note)")


def test_an_older_journal_is_brought_up_to_date(place: Place):
    written = rows(Chain("a"), 3)
    old = place.open()
    old.append(Batch(written))
    salt = old.salt()
    new = place.open(steps=(*place.steps, FURTHER))
    assert list(new.select(Where())) == written
    assert new.salt() == salt
    place.open(steps=(*place.steps, FURTHER))  # and only once


def test_a_newer_journal_is_refused(place: Place):
    place.open(steps=(*place.steps, FURTHER)).close()
    with pytest.raises(StoreError, match=r"newer Firebreak \(schema 2, this one knows 1\): update") as caught:
        place.open()
    assert not caught.value.passing


def test_a_step_that_fails_leaves_the_journal_as_it_was(place: Place):
    written = rows(Chain("a"), 3)
    place.open().append(Batch(written))
    with pytest.raises(StoreError):
        place.open(steps=(*place.steps, (*FURTHER, "CREATE TABLE rows(taken TEXT)")))
    assert list(place.open().select(Where())) == written
    place.open(steps=(*place.steps, FURTHER))


def test_many_may_open_a_new_journal_at_once(place: Place):
    salts: list[bytes] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            salts.append(place.open().salt())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and len(salts) == 6 and len(set(salts)) == 1


def open_sqlite(root: Path, path: str = "state/journal/journal.db") -> Store:
    return open_store(Journal(path=path), root, durable=False)


def test_the_file_is_for_its_owner_only(tmp_path: Path):
    before = os.umask(0)
    try:
        store = open_sqlite(tmp_path)
        store.append(Batch(rows(Chain("a"), 1)))
    finally:
        os.umask(before)
    folder = tmp_path / "state/journal"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert (folder / "journal.db-wal").exists()
    store.close()


@pytest.mark.parametrize(("durable", "expected"), [(True, 2), (False, 1)])
def test_how_durable(tmp_path: Path, durable: bool, expected: int):
    store = SqliteStore(tmp_path / "journal.db", durable=durable)
    assert store._file.read("PRAGMA synchronous") == [(expected,)]
    store.close()


@pytest.mark.parametrize(("durable", "expected"), [(True, "on"), (False, "off")])
def test_how_durable_on_a_server(postgres_server: PostgresServer, durable: bool, expected: str):
    store = PostgresqlStore(postgres_server.database(), durable=durable)
    assert store._database.read("SHOW synchronous_commit") == [(expected,)]
    store.close()


def test_a_file_that_is_no_journal(tmp_path: Path):
    (tmp_path / "journal.db").write_bytes(b"This is no database at all. " * 400)
    with pytest.raises(StoreError, match="put it aside") as caught:
        open_sqlite(tmp_path, "journal.db")
    assert not caught.value.passing


def test_a_file_that_was_damaged(tmp_path: Path):
    store = open_sqlite(tmp_path, "journal.db")
    store.append(Batch(rows(Chain("a"), 500)))
    store.tidy()
    store.close()
    file = tmp_path / "journal.db"
    content = bytearray(file.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="put it aside") as caught:
        list(open_sqlite(tmp_path, "journal.db").scan(0, 1000))
    assert not caught.value.passing


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot be opened: Not a directory|cannot be opened: File exists") as caught:
        open_sqlite(tmp_path)
    assert caught.value.passing


def test_a_file_that_was_moved_takes_no_more_rows(tmp_path: Path):
    store, chain = open_sqlite(tmp_path, "journal.db"), Chain("a")
    store.append(Batch(rows(chain, 1)))
    (tmp_path / "journal.db").rename(tmp_path / "aside.db")
    batch = Batch(rows(chain, 1))
    with pytest.raises(StoreError, match="moved or deleted") as caught:
        store.append(batch)
    assert not caught.value.passing  # the chain's beginning went along: another one starts in the new file
    for name in ("journal.db-wal", "journal.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    store.append(Batch(rows(Chain("b"), 1)))
    assert [row[1:3] for row in store.scan(*store.bounds())] == [("b", 1)]
    store.close()


def test_busy_for_long_is_passing(tmp_path: Path):
    store, chain = open_sqlite(tmp_path, "journal.db"), Chain("a")
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    batch = Batch(rows(chain, 1))
    with pytest.raises(StoreError, match="locked") as caught:
        store.append(batch)
    assert caught.value.passing
    assert store.heads() == {}  # reading goes on
    other.close()
    store.append(batch)
    assert store.heads() == {"a": chain.head}
    store.close()


def test_a_full_disk_is_passing(tmp_path: Path):
    store, chain = SqliteStore(tmp_path / "journal.db", durable=True), Chain("a")
    store.append(Batch(rows(chain, 10)))
    pages = store._file.read("PRAGMA page_count")[0][0]
    store._file.read(f"PRAGMA max_page_count = {pages}")
    batch = Batch(rows(chain, 500))
    with pytest.raises(StoreError, match="full") as caught:
        store.append(batch)
    assert caught.value.passing
    assert store.heads()["a"].seq == 10
    store._file.read("PRAGMA max_page_count = 1000000")
    store.append(batch)
    assert store.heads() == {"a": chain.head}
    store.close()


def postgresql(root: Path, text: str | bytes | None) -> Store:
    if text is not None:
        (root / "dsn").write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_store(Journal(store="postgresql", dsn_file="dsn"), root, durable=False)


def test_the_connection_string_comes_from_its_file(tmp_path: Path, postgres_server: PostgresServer):
    store = postgresql(tmp_path, postgres_server.database() + "\n")
    assert store.bounds() == (0, -1)
    store.close()


@pytest.mark.parametrize(
    ("text", "why", "passing"),
    [
        (None, "cannot be read from .*dsn: No such file", True),
        (b"\xff\xfe", "is not text", True),
        (" \n", "is empty", True),
        ("host=/nowhere password=geheim dbname", "not one that PostgreSQL knows", False),
        ("postgresql://ada:geheim@127.0.0.1:1/journal", "cannot be reached: nothing listens there", True),
        ("postgresql://ada:ge@heim.invalid/journal", "cannot be reached: its host name is not known here", True),
    ],
)
def test_a_wrong_connection_string(tmp_path: Path, text: str | bytes | None, why: str, passing: bool):
    with pytest.raises(StoreError, match=why) as caught:
        postgresql(tmp_path, text)
    assert caught.value.passing is passing
    assert "heim" not in str(caught.value) and caught.value.__cause__ is None


def test_a_database_that_is_not_there(tmp_path: Path, postgres_server: PostgresServer):
    with pytest.raises(StoreError, match="no such database or user"):
        postgresql(tmp_path, postgres_server.dsn("missing"))


def test_a_journal_in_a_file_needs_no_postgresql(tmp_path: Path):
    """Loading its library takes longer than all else that the command does."""
    code = (
        "import sys; from pathlib import Path; from gateway.adapters.journal.databases.open import open_store; "
        "from gateway.config import Journal; open_store(Journal(path='j.db'), Path(sys.argv[1]), durable=False).close(); "
        "assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, cwd=Path(__file__).resolve().parents[3])
