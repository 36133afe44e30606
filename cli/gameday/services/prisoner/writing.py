"""Writes where nothing of its own is. `around`: "folders" get a file, "files" are opened for writing, which changes nothing
yet; "own" is the folder of its own socket, by each of its names."""

import os
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from attempts import Attempt
from surroundings import CODE, family


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    host, _, _ = family()
    code = (CODE, sys.prefix, *(path for path in sys.path if os.path.isdir(path)))
    for folder in dict.fromkeys((*code, *around["folders"])):
        yield Attempt(f"a file in {folder}", partial(made, folder))
    for path in (*around["files"], f"/proc/{host}/oom_score_adj"):
        yield Attempt(f"writing to {path}", partial(opened, path))
    yield Attempt(f"writing to {CODE}/service.yaml", partial(opened, f"{CODE}/service.yaml"))
    for path in (f"{CODE}/tool.py", os.path.realpath(sys.executable)):
        yield Attempt(f"replacing {path}", partial(renamed, path))
    for folder in around["own"]:
        yield Attempt(f"a socket in {folder}", partial(listening, folder))
        yield Attempt(f"replacing {folder}/serve.sock", partial(renamed, f"{folder}/serve.sock"))


def _name(folder: str) -> str:
    return os.path.join(folder, f"fb-{os.getpid()}")


def made(folder: str) -> str:
    """It is gone again at once."""
    os.close(os.open(_name(folder), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(_name(folder))
    return "made"


def opened(path: str) -> str:
    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
    return "opened"


def renamed(path: str) -> str:
    """To its own name: that asks for the right to replace it, and changes nothing."""
    os.rename(path, path)
    return "renamed"


def listening(folder: str) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(_name(folder))
    os.unlink(_name(folder))
    return "made"
