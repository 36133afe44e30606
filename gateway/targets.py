"""A target as the chain sees it: its configuration, and what is known of the service behind it now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from gateway.config import TargetConfig
from gateway.proof import Proof
from gateway.routes import Kind, Method

UNIX_BYTES = 107
"""The kernel's bound for the path of a unix socket."""


class State(StrEnum):
    """Whether a service can take calls."""

    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True)
class Secured:
    """What a connection is secured with, in PEM: authorities, and the certificate with its key that is shown.

    `name` is what the other side's certificate must be for, "" for the address.
    """

    ca: bytes = field(repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What a service said of itself by Describe: `response` is that answer, as bytes, given to callers as it came.

    `schema` is the JSON Schema of a tool's arguments, None for other kinds.
    """

    response: bytes
    name: str
    description: str
    version: str
    framework: str
    framework_version: str
    core_version: str
    python: str
    schema: Mapping[str, Any] | None = None
    schema_sha256: str = ""


class Routed(Protocol):
    """What is known of the methods of a routed service."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its methods as they are configured: "package.Service/Method" or "package.Service/*"."""
        ...

    @property
    def revision(self) -> str:
        """SHA-256 of what describes them beside the configuration; "" where nothing does."""
        ...

    @property
    def example(self) -> Method:
        """One of its methods, to ask policy about; where nobody named any, one that need not exist."""
        ...

    def method(self, name: str) -> Method | None:
        """The method of the full name, with its leading slash; None where it is not routed here."""
        ...

    def arguments(self, method: Method, request: bytes) -> dict[str, Any] | None:
        """The request as JSON, None where nothing describes it.

        Raises ValueError, whose text is for the caller, for what is no such message or has fields that are not described.
        """
        ...


@dataclass(slots=True, eq=False, weakref_slot=True)
class Target:
    """One configured service. Configuration is frozen; `state`, `reason` and `description` follow the service.

    `reason` says why a service is not ready, in words for the platform engineer. `routed` is set for routed services only.
    A service that is configured anew is another target: what stages keep of a target they keep by the object. `socket` is the
    real path that its address led to when this target was made, "" where the address is no unix socket; `secured` is what its
    files of TLS said then, None where there are none. `calls` are those that
    Validate let through to it and that have not ended. `proof` is the last one, None before the first.
    """

    config: TargetConfig
    address: str
    identity: str
    state: State = State.STARTING
    reason: str = ""
    description: Description | None = field(default=None)
    routed: Routed | None = None
    socket: str = ""
    secured: Secured | None = None
    calls: int = 0
    proof: Proof | None = None

    def same(self, other: Target) -> bool:
        """Whether both are made from the same, so that what is known of one is true of the other."""
        return self._made_from() == other._made_from()

    def _made_from(self) -> tuple[object, ...]:
        described = "" if self.routed is None else self.routed.revision
        return self.config, self.address, self.identity, self.socket, self.secured, described

    @property
    def endpoint(self) -> str:
        """What to connect to: a socket by its real path, so that a link that leads elsewhere later changes nothing here."""
        path = self.socket
        if len(os.fsencode(path)) > UNIX_BYTES:
            path = os.path.relpath(path)
        return f"unix:{path}" if path and len(os.fsencode(path)) <= UNIX_BYTES else self.address

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def kind(self) -> Kind:
        return self.config.kind


class Targets(Protocol):
    """The targets by name."""

    def get(self, name: str) -> Target | None: ...

    def all(self) -> tuple[Target, ...]:
        """Every target, sorted by name."""
        ...

    def method(self, name: str) -> Method | None:
        """The method of a routed service by its full name, with its leading slash."""
        ...
