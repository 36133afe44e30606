"""A real PostgreSQL server, started and stopped by the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0

SETTINGS = {
    "fsync": "off",  # the machine is not meant to crash here
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


def find_postgresql() -> Path:
    """The folder of its programs. Without it the test is skipped, and says what to do; where tools are required it fails."""
    installed = ROOT / ".firebreak" / "tools" / "bin" / "postgres"
    found = str(installed) if installed.exists() else shutil.which("postgres")
    for program in (
        Path(found).resolve() if found else None,
        *sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")),
    ):
        if program is not None and program.with_name("initdb").exists():
            return program.parent
    missing = "this test needs a real PostgreSQL, which is not installed: run 'make tools'"
    if os.environ.get("FIREBREAK_TOOLS") == "required":
        pytest.fail(missing)
    pytest.skip(missing)


class PostgresServer:
    """One PostgreSQL in a folder of its own, reached by a socket there. Root runs it as nobody: it refuses root."""

    def __init__(self) -> None:
        self._programs = find_postgresql()
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket's path has 107 bytes at most
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            shutil.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._run("initdb", "--auth=trust", "--username=firebreak", "--encoding=UTF8", "--no-locale", "--no-sync")

    def dsn(self, database: str = "postgres") -> str:
        return f"host={self._folder} user=firebreak dbname={database}"

    def database(self) -> str:
        """The connection string of a database that is new and empty."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.dsn(name)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self._folder, *options],
                stdout=log, stderr=log, cwd=self._folder, **self._as,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it at once: every connection breaks, what is committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *options: str) -> None:
        command = [self._programs / program, "-D", self._data, *options]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder, **self._as)
        assert result.returncode == 0, result.stderr

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn()).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A server that runs; gone at the end."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
