"""What the host tells its self-test, and the words in which that answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

_TOLD = 3


class Asked(NamedTuple):
    """What must be out of reach, and what need not be.

    `files`, `sockets`, `addresses` are the gateway's. `own` are paths that the service may read beside its code, `code` those
    that hold it, `doors` sockets that it may connect to, `guarded` folders in which Landlock alone forbids to make files.
    `environment` names the variables that are expected ("NAME*" for all that begin so), `host_environment` those that the host
    has; `host` is its process id. `writable` are the folders that Landlock leaves to a worker. `abstract` is a socket without a
    path that the host listens at. `proxy` is the port of the egress proxy on loopback, 0 where there is none. `tcp` says that
    TCP sockets are left to the service, `policy` that a policy, no namespace, bounds its network. `memory` (of a worker) and
    `scratch` (of each folder that can be written to) are in bytes, 0 where nothing bounds them.
    """

    files: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    host_environment: tuple[str, ...] = ()
    host: int = 0
    writable: tuple[str, ...] = ()
    abstract: str = ""
    proxy: int = 0
    tcp: bool = False
    policy: bool = False
    memory: int = 0
    scratch: int = 0


def write(asked: Asked) -> bytes:
    return json.dumps(asked._asdict()).encode()


def read(text: str) -> Asked:
    told: dict[str, Any] = json.loads(text)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Asked(**values)


def words(what: str, found: Sequence[str]) -> str:
    """ "could read /a, /b and 7 more"; "" where nothing was found."""
    if not found:
        return ""
    more = f" and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return f"{what} {', '.join(found[:_TOLD])}{more}"
