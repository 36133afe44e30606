"""A process that writes batches, says the number of each that was acknowledged, and is killed by its test."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.adapters.journal.databases.postgresql import PostgresqlStore
from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.rows import Chain
from gateway.adapters.journal.store import Batch, Store
from tests.contract.journal.samples import rows


def main(kind: str, where: str, size: str) -> None:
    store: Store = SqliteStore(Path(where), durable=True) if kind == "sqlite" else PostgresqlStore(where, durable=True)
    chain = Chain("killed")
    for number in range(1, 100_000):
        store.append(Batch(rows(chain, int(size))))
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
