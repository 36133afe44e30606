"""Real Redis, PostgreSQL and OPA for benchmarks: one process each, on loopback or in a folder of its own, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.setting import ROOT, START, free_port

BIN = ROOT / ".firebreak/tools/bin"


class ProgramMissing(Exception):
    """A program is not installed here; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """One that runs: its process id, and the address by which a gateway is configured to ask it."""

    pid: int
    address: str


def find(name: str) -> Path:
    """Where `make tools` has put a program, or the one on PATH. Raises ProgramMissing."""
    installed = BIN / name
    found = str(installed) if installed.exists() else shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} is not installed: run 'make tools'")
    return Path(found).resolve()


@contextmanager
def redis() -> Iterator[Program]:
    """A Redis that keeps nothing on disk."""
    port = free_port()
    command = [find("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with _running(command, lambda: _connects(port)) as pid:
        yield Program(pid, f"redis://127.0.0.1:{port}/0")


@contextmanager
def opa() -> Iterator[Program]:
    """An OPA without policies, with the arguments of the chart."""
    port = free_port()
    command = [
        find("opa"),
        "run",
        "--server",
        "--addr",
        f"127.0.0.1:{port}",
        "--disable-telemetry",
        "--log-level=error",
    ]
    with _running(command, lambda: _healthy(f"http://127.0.0.1:{port}/health")) as pid:
        yield Program(pid, f"http://127.0.0.1:{port}")


@contextmanager
def postgresql() -> Iterator[Program]:
    """A PostgreSQL with the settings that it comes with, reached by a socket in its own folder."""
    programs = find("postgres").parent
    # Short: a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        user = _not_root(folder)
        _make_database(programs, folder, user)
        dsn = f"host={folder} user=firebreak dbname=postgres"
        command = [programs / "postgres", "-D", f"{folder}/data", "-k", folder, "-c", "listen_addresses="]
        with _running(command, lambda: _takes_connections(dsn), cwd=folder, **user) as pid:
            yield Program(pid, dsn)


def _make_database(programs: Path, folder: str, user: dict[str, Any]) -> None:
    options = ("--auth=trust", "--username=firebreak", "--encoding=UTF8", "--no-locale")
    command: list[str | Path] = [programs / "initdb", "-D", f"{folder}/data", *options]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, **user)


def _not_root(folder: str) -> dict[str, Any]:
    """PostgreSQL refuses root, which therefore runs it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def _running(command: list[Any], ready: Callable[[], bool], **options: Any) -> Iterator[int]:
    """The process id of a program once it is ready. Raises RuntimeError where that takes too long."""
    words = [str(word) for word in command]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        end = time.monotonic() + START
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{words[0]} did not start")
            time.sleep(0.02)
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL would wait for its clients at SIGTERM
        process.wait(START)


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _takes_connections(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True
