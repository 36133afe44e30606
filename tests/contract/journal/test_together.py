"""Several write at once, the server goes away and comes back, and a killed process leaves whole batches behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from gateway.adapters.journal.databases.postgresql import PostgresqlStore
from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.rows import CLEARED, PRUNED, Chain, part
from gateway.adapters.journal.store import Batch, Span, Store, StoreError
from tests.contract.journal.conftest import Place
from tests.contract.journal.postgres_server import PostgresServer, postgres
from tests.contract.journal.samples import blob, record, rows

ROOT = Path(__file__).resolve().parents[3]

BATCH = 20


def together(actions: list) -> None:
    """Runs every action in a thread of its own; the first error is raised."""
    failed: list[BaseException] = []

    def run(action) -> None:
        try:
            action()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def patient(action) -> None:
    """Tries again for as long as it is worth it, like the gateway."""
    for _ in range(50):
        try:
            action()
            return
        except StoreError as error:
            if not error.passing:
                raise
    raise AssertionError("never came to its turn")


def test_writers_do_not_disturb_each_other(place: Place):
    chains = [Chain(f"w{number}") for number in range(4)]

    def write(chain: Chain) -> None:
        store = place.open()
        for _ in range(15):
            batch = Batch(rows(chain, 7))
            patient(lambda batch=batch: store.append(batch))

    together([lambda chain=chain: write(chain) for chain in chains])
    store = place.open()
    assert store.heads() == {chain.writer: chain.head for chain in chains}
    scanned = list(store.scan(*store.bounds()))
    for chain in chains:
        assert [row[2] for row in scanned if row[1] == chain.writer] == list(range(1, 106))


def test_what_is_within_bounds_stays_as_it_is(place: Place):
    """A row that appears between others that were seen would look like a gap to who verifies a journal in use."""
    chains = [Chain(f"w{number}") for number in range(3)]
    done = threading.Event()

    def write(chain: Chain) -> None:
        store = place.open()
        for _ in range(25):
            batch = Batch(rows(chain, 5))
            patient(lambda batch=batch: store.append(batch))

    def look() -> None:
        store = place.open()
        while not done.is_set():
            first, last = store.bounds()
            seen = [row[:3] for row in store.scan(first, last)]
            assert [row[:3] for row in store.scan(first, last)] == seen

    looking = threading.Thread(target=look)
    looking.start()
    try:
        together([lambda chain=chain: write(chain) for chain in chains])
    finally:
        done.set()
        looking.join()


def keep_and_erase(open_store: Callable[[], Store], author: Chain) -> None:
    """Two writers keep the same few contents again and again while a third erases them."""

    def write(chain: Chain) -> None:
        store = open_store()
        for number in range(30):
            written = rows(chain, 2)
            batch = Batch(written, [blob(row, b"%d" % (number % 3) * 5000) for row in written])
            patient(lambda batch=batch: store.append(batch))

    def erase() -> None:
        store = open_store()
        for _ in range(40):
            spans = [Span(writer, 1, head.seq) for writer, head in store.heads().items() if writer != "author"]
            batch = record(author, CLEARED)
            patient(lambda spans=spans, batch=batch: store.clear(spans, person=False, content=True, record=batch))

    together([lambda: write(Chain("a")), lambda: write(Chain("b")), erase])


def test_nobody_waits_in_a_circle(postgres_server: PostgresServer):
    """PostgreSQL would find each circle after a second, and break it by an error."""
    dsn, opened = postgres_server.database(), []

    def open_store() -> PostgresqlStore:
        opened.append(PostgresqlStore(dsn, durable=False))
        return opened[-1]

    keep_and_erase(open_store, Chain("author"))
    for store in opened:
        store.close()  # its counts are the server's from then on
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert found.fetchone() == (0,)


def test_blobs_are_there_for_as_long_as_rows_need_them(place: Place):
    author = Chain("author")
    keep_and_erase(place.open, author)
    store = place.open()
    needed = {row[8] for row in store.scan(*store.bounds()) if row[8] is not None and row[1] != "author"}
    contents = [sha256(b"%d" % number * 5000).digest() for number in range(3)]
    kept = [name for name in contents if store.blob(name) is not None]
    assert bool(needed) == bool(kept)
    store.clear([Span("a", 1, 60), Span("b", 1, 60)], person=False, content=True, record=record(author, CLEARED))
    assert [store.blob(name) for name in contents] == [None] * 3


def test_a_lost_connection_is_made_again(postgres_server: PostgresServer):
    dsn, chain = postgres_server.database(), Chain("a")
    store = PostgresqlStore(dsn, durable=False)
    store.append(Batch(rows(chain, 1)))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    batch = Batch(rows(chain, 1))
    with pytest.raises(StoreError) as caught:
        store.append(batch)
    assert caught.value.passing
    store.append(batch)
    assert store.heads() == {"a": chain.head}
    store.close()


def test_a_server_that_is_away_for_a_while():
    with postgres() as server:
        chain = Chain("a")
        store = PostgresqlStore(server.database(), durable=True)
        store.append(Batch(rows(chain, 3)))
        server.stop()
        batch = Batch(rows(chain, 3))
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                store.append(batch)
            assert caught.value.passing
        server.start()
        store.append(batch)
        assert store.heads() == {"a": chain.head}
        store.close()


def child(kind: str, where: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.contract.journal.killed_writer", kind, where, str(BATCH)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )


@pytest.mark.parametrize("acknowledged", [1, 7, 30])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_process_leaves_what_it_acknowledged(
    kind: str, acknowledged: int, tmp_path: Path, request: pytest.FixtureRequest
):
    where = str(tmp_path / "journal.db")
    if kind == "postgresql":
        where = request.getfixturevalue("postgres_server").database()
    process = child(kind, where)
    assert process.stdout is not None
    said = 0
    while said < acknowledged:
        said = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    said = int([str(said).encode(), *process.stdout.read().split()][-1])
    process.stdout.close()
    process.wait()
    store: Store = SqliteStore(Path(where), durable=True) if kind == "sqlite" else PostgresqlStore(where, durable=True)
    numbers = [row[2] for row in store.scan(*store.bounds())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) in (said * BATCH, (said + 1) * BATCH)
    assert store.heads()["killed"].seq == len(numbers)
    store.close()


@pytest.mark.parametrize("cut", [1, 100, 8192, 8215, 8216, 30_000])
def test_a_log_that_was_cut_short_opens(tmp_path: Path, cut: int):
    """As after a power cut: the last transactions are gone, whole, and those before them are there."""
    store, chain = SqliteStore(tmp_path / "journal.db", durable=True), Chain("a")
    for _ in range(10):
        store.append(Batch(rows(chain, 5)))
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "journal.db").write_bytes((tmp_path / "journal.db").read_bytes())
    log = (tmp_path / "journal.db-wal").read_bytes()
    (copy / "journal.db-wal").write_bytes(log[:-cut])
    store.close()
    again = SqliteStore(copy / "journal.db", durable=True)
    numbers = [row[2] for row in again.scan(*again.bounds())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 0 < len(numbers) < 50 and len(numbers) % 5 == 0
    assert again.heads()["a"].seq == len(numbers)
    again.close()


@pytest.mark.parametrize("seed", range(3))
def test_erased_text_is_in_no_file(tmp_path: Path, seed: int):
    """Rows that come and go leave no copies in pages that were rebuilt, in free pages, or in the log."""
    random_ = random.Random(seed)
    store, chain = SqliteStore(tmp_path / "journal.db", durable=False), Chain("a")
    people = [f"<person {number:03}>" for number in range(30)]
    erased: list[str] = []
    for _ in range(20):
        for person in random_.sample(people, 5):
            mark = person.encode()
            written = rows(
                chain, random_.randint(1, 30), principal=person, origin=person,
                person=part(mark * random_.randint(1, 40), os.urandom), content=part(mark * random_.randint(1, 60), os.urandom),
            )  # fmt: skip
            store.append(Batch(written, [blob(written[0], mark * 3000)]))
        erased.append(people.pop())
        spans = store.of_person(erased[-1], 1_000_000)
        store.clear(spans, person=True, content=True, record=Batch(rows(chain, 1, principal="x", origin="x")))
        store.drop([Span("a", 1, random_.randint(1, 20))], record(chain, PRUNED))
        store.tidy()
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert [person for person in erased if person.encode() in everything] == []
    assert people[0].encode() in everything  # what was not erased is found like this
    store.close()


def test_erased_text_behind_a_reader_is_told(tmp_path: Path):
    store, chain = SqliteStore(tmp_path / "journal.db", durable=False), Chain("a")
    store.append(Batch(rows(chain, 50)))
    reader = SqliteStore(tmp_path / "journal.db", durable=False)
    with reader._file.errors() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM rows").fetchall()
    store.clear([Span("a", 1, 50)], person=True, content=True, record=record(chain, CLEARED))
    with pytest.raises(StoreError, match="another process reads the journal") as caught:
        store.tidy()
    assert caught.value.passing
    reader.close()
    store.tidy()
    assert b"person of" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    store.close()
