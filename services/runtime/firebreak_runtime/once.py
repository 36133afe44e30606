"""Calls with an idempotency key: a repeat gets what the first one got, and the tool runs once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from firebreak_runtime.errors import ServedError

Send = Callable[[bytes], Awaitable[None]]
MOST_KEYS = 1000
MOST_BYTES = 16 * 1024**2
MOST_BYTES_EACH = 1024**2


@dataclass
class Progress:
    """How far an execution came: `started` once a worker has it, `answered` when the worker itself ended it."""

    started: bool = False
    answered: bool = False


@dataclass
class _Entry:
    """What is known of the first call with a key; `known` is set when it has ended."""

    fingerprint: bytes
    messages: list[bytes] = field(default_factory=list)
    error: ServedError | None = None
    size: int = 0
    known: asyncio.Event = field(default_factory=asyncio.Event)
    never_ran: bool = False


class Once:
    """Remembers the last MOST_KEYS calls of one service. Older ones are forgotten, and so is everything when the host ends."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0

    async def run(
        self, key: str, fingerprint: bytes, execute: Callable[[Progress, Send], Awaitable[None]], send: Send
    ) -> None:
        """Runs `execute`, or repeats what it sent for the first call with `key`.

        `fingerprint` tells different calls apart. Raises ServedError: what the first call got; that its outcome is unknown; or
        that the key was used for something else. A repeat waits while the first call runs.
        """
        while (entry := self._entries.get(key)) is not None:
            if entry.fingerprint != fingerprint:
                raise self._reused()
            await entry.known.wait()
            if not entry.never_ran:
                self._entries.move_to_end(key)
                await _replay(entry, send)
                return
        await self._first(key, _Entry(fingerprint), execute, send)

    async def _first(
        self, key: str, entry: _Entry, execute: Callable[[Progress, Send], Awaitable[None]], send: Send
    ) -> None:
        self._entries[key] = entry
        progress = Progress()

        async def record(message: bytes) -> None:
            entry.size += len(message)
            if entry.size <= MOST_BYTES_EACH:
                entry.messages.append(message)
            await send(message)

        try:
            await execute(progress, record)
        except ServedError as error:
            entry.error = error
            raise
        finally:
            self._conclude(key, entry, progress)

    def _conclude(self, key: str, entry: _Entry, progress: Progress) -> None:
        if not progress.started:
            entry.never_ran = True
            del self._entries[key]
        elif not progress.answered:
            entry.error = self._unknown()
        elif entry.size > MOST_BYTES_EACH:
            entry.error = self._too_large()
        if entry.error is not None:
            entry.messages.clear()
        self._bytes += sum(map(len, entry.messages))
        entry.known.set()
        self._forget()

    def _forget(self) -> None:
        """Drops the oldest entries beyond the bounds; calls that run are kept."""
        for key in [key for key, entry in self._entries.items() if entry.known.is_set()]:
            if len(self._entries) <= MOST_KEYS and self._bytes <= MOST_BYTES:
                return
            self._bytes -= sum(map(len, self._entries.pop(key).messages))

    def _reused(self) -> ServedError:
        wrong = "was used for a call with other arguments; use a new key for a new call"
        return ServedError(
            "ARGUMENTS_INVALID", f'The field "idempotency_key" {wrong}.', fields=(("idempotency_key", wrong),)
        )

    def _unknown(self) -> ServedError:
        wrong = (
            "The first call with this idempotency key did not finish; whether it took effect is unknown. "
            "Find out, then call again with a new key if it did not."
        )
        return ServedError("WORKER_DIED", wrong, metadata={"target": self._service, "outcome": "unknown"})

    def _too_large(self) -> ServedError:
        wrong = (
            "The first call with this idempotency key finished, but its result was too large to be kept for a repeat."
        )
        return ServedError("RESPONSE_TOO_LARGE", wrong, metadata={"target": self._service, "outcome": "finished"})


async def _replay(entry: _Entry, send: Send) -> None:
    if entry.error is not None:
        raise entry.error
    for message in entry.messages:
        await send(message)
