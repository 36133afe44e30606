"""What kind of address one is. The tables are complete by themselves: what Python's own say changes with its version."""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(enum.IntEnum):
    """PRIVATE is reached where an entry says so, NEVER not even then. The greater one is the worse one."""

    PUBLIC = 0
    PRIVATE = 1
    NEVER = 2


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_NEVER = _networks(
    "0.0.0.0/8",  # "this network": Linux connects to itself
    "169.254.0.0/16",  # link-local, most clouds' metadata
    "100.100.100.200/32",  # metadata
    "168.63.129.16/32",  # a cloud's own agent, with keys
    "192.0.0.192/32",  # metadata
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::/32",  # metadata and credentials
    "fd20:ce::254/128",  # metadata
    "64:ff9b:1::/48",  # stands for IPv4 addresses in a way that only its network knows
)
_PRIVATE = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # shared by carriers and clouds
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",  # relays to IPv6
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "2001::/23",  # protocols' own, and tunnels
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
)
_GLOBAL = _networks("0.0.0.0/0", "2000::/3")
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")
_V4 = 0xFFFF_FFFF
_CARRIERS: tuple[tuple[_Network, int, int], ...] = tuple(
    (ipaddress.ip_network(network), shift, flip)
    for network, shift, flip in (
        ("::/96", 0, 0),
        ("::ffff:0:0/96", 0, 0),  # IPv4-mapped
        ("::ffff:0:0:0/96", 0, 0),
        ("64:ff9b::/96", 0, 0),  # NAT64
        ("2002::/16", 80, 0),  # 6to4
        ("2001::/32", 64, 0),  # Teredo: its server, and its client
        ("2001::/32", 0, _V4),
    )
)
"""IPv6 networks whose addresses hold an IPv4 address: how far from the end, and which of its bits are turned over."""


def kind(text: str) -> Kind:
    """The kind of an address; what is no address is NEVER."""
    try:
        return _kind(ipaddress.ip_address(text))
    except ValueError:
        return Kind.NEVER


def _kind(address: _Address) -> Kind:
    if address == _LOOPBACK_V6:
        return Kind.PRIVATE
    if _within(address, _NEVER) or Kind.NEVER in map(_kind, _carried(address)):
        return Kind.NEVER
    # One that stands for another is private at best: whoever routes it decides where it leads.
    return Kind.PUBLIC if _within(address, _GLOBAL) and not _within(address, _PRIVATE) else Kind.PRIVATE


def _carried(address: _Address) -> Iterator[ipaddress.IPv4Address]:
    for network, shift, flip in _CARRIERS:
        if _within(address, (network,)):
            yield ipaddress.IPv4Address((int(address) >> shift & _V4) ^ flip)


def _within(address: _Address, networks: tuple[_Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
