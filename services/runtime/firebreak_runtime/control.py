"""The control socket between host and zygote: one JSON object a packet, descriptors beside it."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

PACKET = 64 * 1024
_MAX_DESCRIPTORS = 4


@dataclass(frozen=True)
class Packet:
    """One message; the receiver owns its descriptors."""

    body: dict[str, Any]
    fds: tuple[int, ...] = ()


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, body: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
    """Sends one packet whole or raises OSError."""
    socket.send_fds(sock, [json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")], list(fds))


def receive(sock: socket.socket) -> Packet | None:
    """The next packet, None when the other side is gone. Raises BlockingIOError, and ValueError at what is no packet."""
    data, fds, flags, _ = socket.recv_fds(sock, PACKET, _MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return None
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise ValueError("a control packet was cut")
    body = json.loads(data)
    if not isinstance(body, dict):
        raise ValueError("a control packet is an object")
    return Packet(body, tuple(fds))
