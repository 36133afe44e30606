"""What a worker drives: one loaded agent, tool, model, retriever or embeddings object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from firebreak_runtime.service_file import ServiceFile


@dataclass(frozen=True)
class GatewayTls:
    """PEM files of the way to the gateway: who signed its certificate, and the pair that is shown to it, if any.

    They rotate: a worker looks at them before each call.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    def files(self) -> dict[str, Path]:
        """Those that there are, by name."""
        named = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return {name: file for name, file in named.items() if file is not None}


@dataclass(frozen=True)
class WorkerEnv:
    """What a worker knows of its surroundings: the gateway's gRPC address, the file that holds the service's token (it
    rotates: read it for each call), the service itself, the folders in which it may change files, none where nothing
    restricts it, and how the way to the gateway is secured, None where it is as its address says."""

    gateway: str
    token_file: Path
    service: ServiceFile
    writable: tuple[str, ...] = ()
    tls: GatewayTls | None = None


class Served(Protocol):
    """One loaded object.

    Made in the zygote, used in the workers forked from it. Calls raise ServedError for what the caller should read and let
    MemoryError pass; any other exception ends the call with a correlation id, its text in the log only.
    """

    mode: Literal["sync", "async"]
    """"sync": one call at a time on a worker, stopped by killing it. "async": many calls on one event loop."""

    def describe(self) -> bytes:
        """The serialized Describe response of the service's kind. Called in the zygote."""
        ...

    def warm(self) -> None:
        """One dummy pass in the zygote that makes first calls fast. Starts no thread, leaves no event loop open."""
        ...

    async def start(self, env: WorkerEnv) -> tuple[str, ...]:
        """Runs in a fresh worker before its first call. Returns the names of tools that could not be reached."""
        ...

    def call(self, method: str, request: bytes, emit: Callable[[bytes], None]) -> None:
        """Serves one call in mode "sync". `emit` takes serialized response messages, exactly one for a unary method."""
        ...

    async def acall(self, method: str, request: bytes, emit: Callable[[bytes], Awaitable[None]]) -> None:
        """Serves one call in mode "async"."""
        ...
