"""Which addresses are public. Everything else (this machine, this network, a cloud's metadata) is refused."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]
"""Host name and port to addresses, in the order in which they are to be tried. Raises OSError."""

_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "100.64.0.0/10",  # shared by carriers and clouds
            "192.0.0.0/24",
            "192.88.99.0/24",  # relays to IPv6
            "198.18.0.0/15",
            "64:ff9b::/96",  # stand for IPv4 addresses, private ones too
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/23",
            "100::/64",
            "fec0::/10",
        ),
    )
)


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet. What is no address is not."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NOT_PUBLIC if network.version == address.version)
    )


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
