"""The same tests on both stores: a file, and a database in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.journal.databases import schema
from gateway.adapters.journal.databases.postgresql import PostgresqlStore
from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.store import Store
from tests.contract.journal.postgres_server import PostgresServer, postgres


@dataclass
class Place:
    """One journal's database, and every store that a test has opened on it."""

    kind: str
    make: Callable[..., Store]
    steps: tuple[schema.Step, ...]
    opened: list[Store] = field(default_factory=list)

    def open(self, *, durable: bool = False, **options: Any) -> Store:
        store = self.make(durable=durable, **options)
        self.opened.append(store)
        return store


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server that many tests share: each has a database of its own."""
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        found = Place("sqlite", lambda **options: SqliteStore(tmp_path / "journal.db", **options), schema.SQLITE)
    else:
        dsn = request.getfixturevalue("postgres_server").database()
        found = Place("postgresql", lambda **options: PostgresqlStore(dsn, **options), schema.POSTGRESQL)
    yield found
    for store in found.opened:
        store.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()
