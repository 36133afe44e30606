"""Tries connections and packets. What counts as refused is only what a wall says at once: an answer from elsewhere, whatever it
is, and silence too, mean that a packet has left.

Where a policy bounds the network that is not so: it drops packets on their way, or answers in the place of who was asked. There
only a connection that came about, and an answer to a question, tell that something was reached."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from firebreak_runtime.self_test.asked import Asked, words

PATIENCE = 1.0
"""Seconds for all tries together, which run side by side."""
_AT_ONCE = 64
_ADDRESSES = (
    "1.1.1.1:443",
    "[2606:4700:4700::1111]:443",
    "169.254.169.254:80",
    "[fd00:ec2::254]:80",
    "127.0.0.1:1",
    "127.0.0.1:22",
    "[::1]:22",
)
"""The internet, the metadata services of clouds, and this machine."""
_NAME_SERVERS = ("8.8.8.8:53", "127.0.0.53:53")
_NAME_SERVERS_BY_TCP = ("1.1.1.1:53", "8.8.8.8:53")
"""Landlock knows ports and no addresses: where names may be asked for, only the policy is in the way to these."""
_QUESTION = b"\x46\x42\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"
_WALLS = frozenset(
    (
        errno.EPERM,
        errno.EACCES,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENODEV,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EPROTONOSUPPORT,
        errno.ESOCKTNOSUPPORT,
    )
)
_MACHINE = 2
"""The machine that a virtual one runs on, as an address of AF_VSOCK."""


class _Try(NamedTuple):
    """One socket on its way to `address`; `kind` is SOCK_STREAM or SOCK_DGRAM."""

    name: str
    family: int
    kind: int
    address: tuple[str | int, ...]


def reached(asked: Asked) -> str:
    """Addresses that a packet could be sent to, whether or not somebody answered."""
    alone = _only_loopback()
    tries = list(_tries(asked))
    found: list[str] = []
    for start in range(0, len(tries), _AT_ONCE):
        patience = PATIENCE * _AT_ONCE / max(_AT_ONCE, len(tries))
        found += _run(tries[start : start + _AT_ONCE], alone, asked.policy, patience)
    return words("reached", found + _raw() + _past_the_proxy(asked))


def _tries(asked: Asked) -> Iterator[_Try]:
    by_tcp = _NAME_SERVERS_BY_TCP if asked.policy else ()
    for address in dict.fromkeys((*_ADDRESSES, *by_tcp, *asked.addresses)):
        yield from _made(address, socket.SOCK_STREAM, asked.proxy)
    configured = () if asked.policy else _configured()  # the policy leaves those
    for address in dict.fromkeys((*_NAME_SERVERS, *configured)):
        yield from _made(address, socket.SOCK_DGRAM, 0)
    yield _Try("the machine around this one", socket.AF_VSOCK, socket.SOCK_STREAM, (_MACHINE, 1))


def _made(address: str, kind: int, proxy: int) -> Iterator[_Try]:
    """Addresses in numbers only: to look names up would take the network that is to be tried."""
    host, _, port = address.rpartition(":")
    host = {"localhost": "127.0.0.1"}.get(host, host).strip("[]")
    if not port.isdigit() or int(port) > 65535 or (proxy == int(port) and host.startswith("127.")):
        return
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            name = address if kind == socket.SOCK_STREAM else f"{address} (UDP)"
            yield _Try(name, family, kind, (host, int(port)))


def _configured() -> list[str]:
    """Name servers of this machine, or of the sandbox."""
    with suppress(OSError):
        lines = Path("/etc/resolv.conf").read_text(errors="replace").splitlines()[:100]
        servers = [parts[1] for line in lines if len(parts := line.split()) > 1 and parts[0] == "nameserver"]
        return [f"[{server}]:53" if ":" in server else f"{server}:53" for server in servers[:3]]
    return []


def _only_loopback() -> bool:
    """Whether this is a network of its own: no interface leads anywhere else, so that loopback is the service's own, too."""
    try:
        lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    except OSError:
        return False
    return [line.split(":")[0].strip() for line in lines] == ["lo"]


def _run(tries: list[_Try], alone: bool, policy: bool, patience: float) -> list[str]:
    """Names of the tries that got out."""
    found, waiting = [], {}
    poll = select.poll()
    for each in tries:
        try:
            if (sock := _started(each)) is not None:
                poll.register(sock, select.POLLIN | (select.POLLOUT if each.kind == socket.SOCK_STREAM else 0))
                waiting[sock.fileno()] = each, sock
        except OSError as error:
            if error.errno not in _WALLS and _tells(error.errno, alone, policy):
                found.append(each.name)
    end = time.monotonic() + patience
    while waiting and (left := end - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            each, sock = waiting.pop(fd)
            poll.unregister(fd)
            if _tells(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), alone, policy):
                found.append(each.name)
            sock.close()
    for each, sock in waiting.values():
        found += [] if policy else [each.name]
        sock.close()
    return found


def _started(each: _Try) -> socket.socket:
    """A socket whose connection, or whose question, is on its way. Raises OSError."""
    sock = socket.socket(each.family, each.kind)
    try:
        sock.setblocking(False)
        with suppress(BlockingIOError):
            sock.connect(each.address)
        if each.kind == socket.SOCK_DGRAM:
            sock.send(_QUESTION)
    except OSError:
        sock.close()
        raise
    return sock


def _tells(error: int | None, alone: bool, policy: bool) -> bool:
    """Whether an outcome (0: it came about) tells of more than the service's own loopback."""
    return error == 0 if policy else not (alone and error == errno.ECONNREFUSED)


def _past_the_proxy(asked: Asked) -> list[str]:
    """A policy lets a pod through to where its egress proxy leads. Only Landlock keeps the service itself from there, and says
    so of any port at once."""
    if not (asked.policy and asked.proxy):
        return []
    try:
        _started(_Try("", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 1))).close()
    except OSError as error:
        if error.errno in _WALLS:
            return []
    return ["where its egress proxy leads, without that"]


def _raw() -> list[str]:
    """Sockets that see or make packets of any kind."""
    kinds = (
        ("raw sockets", socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        ("packet sockets", socket.AF_PACKET, socket.SOCK_RAW, 0),
    )
    found = []
    for name, *kind in kinds:
        with suppress(OSError):
            socket.socket(*kind).close()
            found.append(name)
    return found
