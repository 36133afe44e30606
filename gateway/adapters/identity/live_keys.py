"""An issuer's keys, kept fresh: good keys stay until better ones came, whatever happens to their source."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from joserfc.jwk import Key

from gateway.adapters.identity.keys import BadKeyError, PublicKeys, public_keys
from gateway.ports import Clock

_log = structlog.get_logger("gateway.identity")

Fetch = Callable[[], Awaitable[bytes | None]]
"""Reads a key set. None means that it has not changed since the last time; raises SourceError."""


class SourceError(Exception):
    """A key set cannot be read now; the text says why."""


class LiveKeys:
    """The keys of one source by key id; `problem` says why its last reading failed, "" when it did not.

    `generation` counts the changes: whatever was verified under an earlier one must be verified again. A source is read
    each `interval` seconds by `run`, and at once when a key id is unknown, then at most once in `gap` seconds.
    """

    def __init__(self, source: str, fetch: Fetch, *, interval: float, gap: float, clock: Clock) -> None:
        self.source = source
        self.generation = 0
        self.problem = "not read yet"
        self._fetch = fetch
        self._interval = interval
        self._gap = gap
        self._clock = clock
        self._keys: PublicKeys = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether there are keys at all."""
        return bool(self._keys)

    async def find(self, kid: str) -> Key | None:
        """The key `kid`; an unknown one is looked for at the source before the answer is None."""
        if kid not in self._keys and (self._is_reading() or self._clock() - self._read_at >= self._gap):
            await self.refresh()
        return self._keys.get(kid)

    async def refresh(self) -> None:
        """Reads the source now. Never raises: `problem` tells. Calls at the same time share one reading."""
        if self._reading is None or not self._is_reading():
            self._read_at = self._clock()
            self._reading = asyncio.create_task(self._read())
        # The reading goes on when the caller that started it gives up: others wait for it.
        await asyncio.shield(self._reading)

    async def run(self) -> None:
        """Keeps the keys fresh until it is cancelled."""
        try:
            while True:
                await self.refresh()
                # A source that failed is asked again sooner than one that is only polled for news.
                await asyncio.sleep(min(self._interval, 5.0) if self.problem else self._interval)
        finally:
            if self._reading is not None:
                self._reading.cancel()

    def accept(self, raw: bytes) -> None:
        """Puts the key set `raw` in force, or keeps the keys there are and says why in `problem`."""
        try:
            keys = public_keys(raw)
        except BadKeyError as error:
            self.fail(str(error))
            return
        if self.problem or _differ(keys, self._keys):
            _log.info("identity.keys_loaded", source=self.source, kids=sorted(keys))
        if _differ(keys, self._keys):
            self._keys, self.generation = keys, self.generation + 1
        self.problem = ""

    def fail(self, why: str) -> None:
        """Records that the source cannot be used now; said once, not at each try."""
        if why != self.problem:
            _log.warning("identity.keys_not_loaded", source=self.source, why=why, kept=sorted(self._keys))
        self.problem = why

    async def _read(self) -> None:
        try:
            raw = await self._fetch()
        except SourceError as error:
            self.fail(str(error))
            return
        except Exception as error:
            # Whatever else a client library throws: the keys stay, and so does the task that keeps them fresh.
            self.fail(f"the reading failed ({type(error).__name__})")
            return
        if raw is not None:
            self.accept(raw)

    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()


def _differ(new: PublicKeys, old: PublicKeys) -> bool:
    return new.keys() != old.keys() or any(key.thumbprint() != old[kid].thumbprint() for kid, key in new.items())
