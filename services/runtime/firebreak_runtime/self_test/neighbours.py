"""Looks at the environment and at other processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from firebreak_runtime.self_test.asked import Asked, words

_MOST = 4096


def variables(asked: Asked) -> str:
    """Variables that nobody expects, by name: of this process, of its host, and of whatever else of this service lets itself be
    read."""
    found = {*os.environ, *asked.host_environment}
    for pid in _ours(asked.host, dict(_parents())):
        with suppress(OSError):
            parts = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            found |= {_name(part) for part in parts if part}
    return words("saw the variables", sorted(name for name in found if not _expected(name, asked.environment)))


def _expected(name: str, expected: Sequence[str]) -> bool:
    return name in expected or any(each.endswith("*") and name.startswith(each[:-1]) for each in expected)


def processes(asked: Asked) -> str:
    """Processes that are neither the host nor came from it."""
    if os.readlink("/proc/self") != str(os.getpid()):
        return "saw a /proc that is not of its own process namespace"
    parents = dict(_parents())
    ours = _ours(asked.host, parents)
    found = [_told(pid) for pid in sorted(parents) if pid not in ours]
    return words("saw the processes", [each for each in found if each])


def _ours(host: int, parents: Mapping[int, int]) -> set[int]:
    """The host and what came from it."""
    ours = {host}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return ours


def _name(part: bytes) -> str:
    return part.partition(b"=")[0].decode(errors="replace")


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()][:_MOST]


def _parents() -> Iterator[tuple[int, int]]:
    for pid in _all():
        with suppress(OSError):  # it has ended meanwhile
            yield pid, int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])


def _told(pid: int) -> str:
    """Its name, and whether a signal would reach it; "" if it is gone."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""
    with suppress(OSError):
        os.kill(pid, 0)
        return f"{pid} ({name}), which it may signal"
    return f"{pid} ({name})"
