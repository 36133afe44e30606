"""Opens the journal that the configuration names, for the gateway and for the command."""

from __future__ import annotations

from pathlib import Path

from gateway import config
from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.store import Store, StoreError


def open_store(settings: config.Journal, root: Path, *, durable: bool) -> Store:
    """The journal of `settings`, made where there is none yet; relative paths are relative to `root`.

    `durable`: what is appended is on disk on return. Otherwise a crash of the machine, though not of the process, may take the
    last rows along. Raises StoreError, which never holds a connection string.
    """
    if settings.store == "sqlite":
        return SqliteStore(root / settings.path, durable=durable)
    # Here, so that a journal in SQLite does not pay for loading it.
    from gateway.adapters.journal.databases.postgresql import PostgresqlStore

    return PostgresqlStore(_connection_string(root / (settings.dsn_file or "")), durable=durable)


def _connection_string(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except UnicodeDecodeError:
        raise StoreError(f"{file} is not text: it holds the connection string of the journal's database") from None
    except OSError as error:
        raise StoreError(f"the journal's connection string cannot be read from {file}: {error.strerror}") from None
    if not text:
        raise StoreError(f"{file} is empty: it holds the connection string of the journal's database")
    return text
