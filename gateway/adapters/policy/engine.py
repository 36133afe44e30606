"""What an engine offers to the policy that is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.adapters.policy.bundle import Bundle


class Loaded(Protocol):
    """A verified bundle inside an engine, ready to decide."""

    @property
    def bundle(self) -> Bundle: ...

    async def decide(self, document: Mapping[str, Any]) -> object:
        """The entry point's answer on `document`, None where undefined; raises PolicyError."""
        ...

    async def alive(self) -> bool:
        """Whether the engine still holds it; raises Unreachable."""
        ...

    def release(self) -> None:
        """Says that it is asked no more."""
        ...


class Engine(Protocol):
    """A policy engine."""

    @property
    def name(self) -> str: ...

    async def load(self, bundle: Bundle) -> Loaded:
        """Puts a bundle beside what is loaded already, and verifies it.

        Raises BundleError when the bundle is at fault, Unreachable when the engine is; nothing is left behind then.
        """
        ...

    async def sweep(self, keep: Sequence[str]) -> None:
        """Takes out every revision but those to keep; never raises."""
        ...

    async def close(self) -> None: ...
