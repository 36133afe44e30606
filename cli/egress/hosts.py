"""Names of hosts in the one form in which they are compared, looked up and sent on."""

from __future__ import annotations

import ipaddress
import re

LONGEST = 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_READ_IN_TWO_WAYS = frozenset("ßς\u200c\u200d")
"""Letters that the two versions of IDNA encode differently."""


def canonical(text: str) -> str:
    """A name in lower-case ASCII without a dot at its end, or an address (IPv6 comes in brackets and loses them).

    Raises ValueError for what two readers could understand in two ways: numbers that are no plain IPv4 address, zones, empty
    labels.
    """
    if text.startswith("[") and text.endswith("]") and "%" not in text:
        return str(ipaddress.IPv6Address(text[1:-1]))
    name = _ascii(text).removesuffix(".")
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise ValueError("no valid name of a host")
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return str(ipaddress.IPv4Address(name))
    return name


def is_address(host: str) -> bool:
    """Whether a canonical host is an address and no name."""
    return ":" in host or host.rpartition(".")[2].isdecimal()


def bracketed(host: str) -> str:
    """A canonical host as it stands before a port."""
    return f"[{host}]" if ":" in host else host


def _ascii(text: str) -> str:
    lower = text.lower()
    if len(lower) > LONGEST + 1 or not _READ_IN_TWO_WAYS.isdisjoint(lower):
        raise ValueError("no valid name of a host")
    return lower if lower.isascii() else lower.encode("idna").decode()
