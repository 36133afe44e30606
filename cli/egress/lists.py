"""The file that says which services there are and where each may go."""

from __future__ import annotations

import json
import re
from typing import Any

from cli.egress.allow import PORTS, Entry
from cli.egress.hosts import canonical, is_address

Lists = dict[str, tuple[Entry, ...]]
MOST = 4 * 1024**2
"""Bytes of the file."""
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_KEYS = {"scheme", "host", "port", "below", "private"}


class WrongLists(Exception):
    """The file cannot be used; the text says what is wrong with it."""


def parse(data: bytes) -> Lists:
    """The entries of each service. Raises WrongLists: a file that is wrong anywhere is of no use at all."""
    try:
        services = json.loads(data)["services"]
        return {_service(name): tuple(map(_entry, entries)) for name, entries in services.items()}
    except (KeyError, TypeError, AttributeError):
        raise WrongLists('it is not {"services": {NAME: [ENTRY, …]}}') from None
    except ValueError as error:
        raise WrongLists(str(error)) from None


def _service(name: str) -> str:
    if not _SERVICE.fullmatch(name):  # it becomes the name of a folder
        raise ValueError(f"{name!r} is no name of a service")
    return name


def _entry(given: dict[str, Any]) -> Entry:
    if set(given) != _KEYS or given["scheme"] not in PORTS:
        raise ValueError(f"{given!r} is no entry: it has {', '.join(sorted(_KEYS))}, and its scheme is http or https")
    port, flags = given["port"], (given["below"], given["private"])
    if type(port) is not int or not 0 < port < 65536 or not all(type(flag) is bool for flag in flags):
        raise ValueError(f"{given!r} has a port, below or private of the wrong kind")
    host = _host(given["host"])
    if given["below"] and is_address(host):
        raise ValueError(f"nothing is below {host}")
    return Entry(given["scheme"], host, port, *flags)


def _host(text: str) -> str:
    try:
        return canonical(f"[{text}]" if ":" in text else text)
    except ValueError:
        raise ValueError(f"{text!r} is no valid name of a host") from None
