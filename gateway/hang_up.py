"""Ends the connections of a listener, which gRPC cannot do."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def hang_up(port: int, path: str) -> int:
    """Ends every connection that was made to this process at TCP port `port` (0 for none) or at the Unix socket `path` ("" for
    none), and answers how many there were. The listener itself stays.

    A server of gRPC that stops drops what it has received and not yet handed on as CANCELLED, which says that the caller gave
    up; whoever calls must not take it so. A connection that ends says UNAVAILABLE: nobody has answered.
    """
    ended = 0
    for link in _descriptors():
        # Others may close it meanwhile. Of a copy it is certain what it is; the listener has no peer and refuses.
        with contextlib.suppress(OSError):
            if link.is_socket():
                with socket.socket(fileno=os.dup(int(link.name))) as connection:
                    ended += _end(connection, port, path)
    return ended


def _descriptors() -> list[Path]:
    """None where they cannot be listed, as when none is left to list them with: gRPC ends connections in its own way then."""
    try:
        return list(_DESCRIPTORS.iterdir())
    except OSError:
        return []


def _end(connection: socket.socket, port: int, path: str) -> bool:
    """Ends it if it was made to one of these. Raises OSError where it is no connection."""
    own = connection.getsockname()
    if connection.family == socket.AF_UNIX:
        meant = path != "" and own == path
    else:
        meant = connection.family in (socket.AF_INET, socket.AF_INET6) and own[1] == port
    if not meant:
        return False
    connection.getpeername()
    connection.shutdown(socket.SHUT_RDWR)
    return True
