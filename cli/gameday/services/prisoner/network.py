"""Ways into a network: connections, packets, names, and sockets that see or make packets of any kind.

`around`: "tcp" and "udp" are addresses, "names" names to look up.
"""

import errno
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from attempts import Attempt, NotThere

SECONDS = 0.8
NOBODY = frozenset((errno.ECONNREFUSED,))
"""On a loopback where a server of this machine listens: this loopback is another one. From elsewhere it is an answer."""
KINDS = {
    "raw socket": (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "ping socket": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    "raw IPv6 socket": (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
    "UDP socket": (socket.AF_INET, socket.SOCK_DGRAM, 0),
    "UDP socket of IPv6": (socket.AF_INET6, socket.SOCK_DGRAM, 0),
    "AF_PACKET socket": (socket.AF_PACKET, socket.SOCK_RAW, 0),
    "AF_NETLINK socket": (socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "AF_VSOCK socket": (socket.AF_VSOCK, socket.SOCK_STREAM, 0),
    "AF_ALG socket": (socket.AF_ALG, socket.SOCK_SEQPACKET, 0),
    "MPTCP socket": (socket.AF_INET, socket.SOCK_STREAM, 262),
    "SCTP socket": (socket.AF_INET, socket.SOCK_STREAM, 132),
    "SMC socket": (43, socket.SOCK_STREAM, 0),
}


def attempts(around: dict[str, Any]) -> Iterator[Attempt]:
    for address in around["tcp"]:
        yield _to(f"TCP connection to {address}", connect, address)
        yield _to(f"TCP fast open to {address}", fast_open, address)
    for address in around["udp"]:
        yield _to(f"UDP packet to {address}", packet, address)
    for name in around["names"]:
        yield Attempt(f"look-up of {name}", partial(look_up, name))
    for what, kind in KINDS.items():
        yield Attempt(what, partial(made, *kind), frozenset())
    yield Attempt("an interface that leads elsewhere than to itself", interface)


def _to(what: str, act: Callable[[str], str], address: str) -> Attempt:
    return Attempt(
        what, partial(act, address), NOBODY if _place(address)[1][0] in ("127.0.0.1", "::1") else frozenset()
    )


def _place(address: str) -> tuple[int, tuple[str, int]]:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, (host.strip("[]"), int(port))


def connect(address: str) -> str:
    family, place = _place(address)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(SECONDS)
        sock.connect(place)
    return "connected"


def fast_open(address: str) -> str:
    """Sends with the first packet, by which it connects without asking to connect."""
    family, place = _place(address)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(SECONDS)
        sock.sendto(b"x", socket.MSG_FASTOPEN, place)
    return "sent"


def packet(address: str) -> str:
    family, place = _place(address)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", place)
    return "sent"


def look_up(name: str) -> str:
    try:
        return f"found {socket.getaddrinfo(name, 443)[0][4][0]}"
    except socket.gaierror as error:
        raise NotThere(error.strerror) from None


def interface() -> str:
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    if found := [name for line in lines if (name := line.split(":")[0].strip()) != "lo"]:
        return ", ".join(found)
    raise NotThere("none")


def made(family: int, kind: int, protocol: int) -> str:
    socket.socket(family, kind, protocol).close()
    return "made"
