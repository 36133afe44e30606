"""Asks the egress proxy for hosts. `around`: "hosts" are places for CONNECT, "urls" are asked for by GET."""

import os
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

from attempts import Attempt, Refused

SECONDS = 2.0
FORBIDDEN = "403"


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    for place in around["hosts"]:
        yield Attempt(f"CONNECT {place}", partial(ask, f"CONNECT {place}"), frozenset())
    for url in around["urls"]:
        yield Attempt(f"GET {url}", partial(ask, f"GET {url}"), frozenset())


def ask(request: str) -> str:
    """What it answers but 403, which is the one answer that says that the way is barred."""
    host, _, port = os.environ["HTTPS_PROXY"].removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS) as sock:
        sock.sendall(f"{request} HTTP/1.1\r\n\r\n".encode())
        line = sock.recv(4096).decode("latin-1").partition("\r\n")[0]
    if line.split()[1:2] == [FORBIDDEN]:
        raise Refused(FORBIDDEN)
    return f"answered {line!r}"
