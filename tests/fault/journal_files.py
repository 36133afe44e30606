"""A gateway whose journal is about to be mistreated, and what is found in its database."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gateway.adapters.journal.rows import GENESIS, link
from tests.contract.gateway_process import Gateway, wait_for

JOURNAL = ".firebreak/journal"


class Kept(Gateway):
    """A gateway with settings for its journal; with `on_a_disk_of` its journal is on a file system of that size."""

    def __init__(self, folder: Path, journal: str, on_a_disk_of: str = "") -> None:
        super().__init__(folder)
        file = folder / "firebreak.yaml"
        file.write_text(f"{file.read_text()}\njournal: {{{journal}}}\n")
        self._disk = on_a_disk_of
        self.main: subprocess.Popen[bytes] | None = None

    def begin(self) -> subprocess.Popen[bytes]:
        """The gateway's process, ready; the service's too where it does not run yet."""
        if not self.processes:
            self.start_service()
        command = [sys.executable, "-m", "gateway", "--config", str(self.folder / "firebreak.yaml")]
        if self._disk:
            (self.folder / JOURNAL).mkdir(parents=True, exist_ok=True)
            mount = f'mount -t tmpfs -o size={self._disk} tmpfs "$0" && exec "$@"'
            command = [*UNSHARE, "sh", "-c", mount, str(self.folder / JOURNAL), *command]
        with (self.folder / "log").open("ab") as log:
            process = self.main = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self.processes.append(process)
        wait_for(lambda: self.exited(process) or self.get("/readyz")[0] == 200, "the gateway is ready")
        wait_for(lambda: self.service()["state"] == "ready", "the service is ready")
        return process

    @property
    def files(self) -> Path:
        """The journal's folder as the gateway sees it."""
        if not self._disk:
            return self.folder / JOURNAL
        assert self.main is not None
        return Path(f"/proc/{self.main.pid}/root{self.folder / JOURNAL}")

    def journal(self) -> dict[str, Any]:
        """The journal's part of /status."""
        status, body = self.get("/status")
        assert status == 200
        found: dict[str, Any] = json.loads(body)["journal"]
        return found

    def rows(self) -> list[tuple[str, int, list[Any]]]:
        """Writer, number and header of each row. Every chain is checked: its numbers and its hashes."""
        with self._database() as file, closing(sqlite3.connect(file)) as database:
            found = database.execute("SELECT writer, seq, header, hash FROM rows ORDER BY id").fetchall()
        ends: dict[str, tuple[int, bytes]] = {}
        for writer, seq, header, digest in found:
            number, last = ends.get(writer, (0, GENESIS))
            assert (seq, digest) == (number + 1, link(last, header.encode()))
            ends[writer] = seq, digest
        return [(writer, seq, json.loads(header)) for writer, seq, header, _ in found]

    @contextmanager
    def _database(self) -> Iterator[Path]:
        if not self._disk:
            yield self.files / "journal.db"
            return
        # SQLite would follow the link to the folder of this name that we see. Nothing is written by then.
        with tempfile.TemporaryDirectory() as folder:
            for name in ("journal.db", "journal.db-wal"):
                shutil.copyfile(self.files / name, Path(folder) / name)
            yield Path(folder) / "journal.db"

    def calls(self) -> list[str]:
        """Ids of the calls that are on record as ended."""
        return [header[4] for _, _, header in self.rows() if header[3] == "call"]

    def kinds(self) -> list[str]:
        return [header[3] for _, _, header in self.rows()]


UNSHARE = ["unshare", "--map-root-user", "--mount"]


def can_mount() -> bool:
    """Whether this machine lets us have a file system of our own."""
    probe = [*UNSHARE, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No byte is left on the disk of `folder` meanwhile."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            pass
    yield
    filler.unlink()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another process, this one, holds the database's write lock meanwhile."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
