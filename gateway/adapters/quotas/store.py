"""What keeps the shared buckets, as quotas see it; unit tests hand in a hand-written one."""

from __future__ import annotations

from typing import Protocol


class Gone(Exception):
    """The store cannot be asked; the text says why, without a password, and is fit for /status."""


class Store(Protocol):
    """Keeps one token bucket for each name, the same for everyone who asks."""

    @property
    def address(self) -> str:
        """Host and port, for people."""
        ...

    async def take(self, name: str, per_second: float, burst: int) -> float:
        """0.0: a token was taken. Otherwise the seconds until there is one. Raises Gone, whatever went wrong."""
        ...

    async def close(self) -> None:
        """Ends every connection."""
        ...
