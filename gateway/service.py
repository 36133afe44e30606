"""The one shape of every stage: a call in, messages out through `send`, one finish returned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.call import Call, Metadata
from gateway.errors import Code

Send = Callable[[bytes], Awaitable[None]]
"""Hands one response message to the caller; waits while the caller reads slowly."""


@dataclass(frozen=True, slots=True)
class Finish:
    """How a call ended that reached its target: the target's own status and trailers, passed on as they are.

    `trailers` hold "grpc-status-details-bin" where the target sent details. `reason` is the ErrorInfo reason found there
    for the domain "firebreak.dev", else "".
    """

    code: Code = Code.OK
    message: str = ""
    trailers: Metadata = ()
    reason: str = ""


class Service(Protocol):
    """Serves one call.

    Returns when the target has finished; raises CallError when Firebreak ends the call. Cancellation arrives as
    `asyncio.CancelledError`. A unary answer is one `send`. An implementation holds what it took (permits, timers) until it
    returns or raises, so that a permit lives as long as the response stream.
    """

    async def __call__(self, call: Call, send: Send) -> Finish: ...


Filter = Callable[[Service], Service]
"""A stage of the chain: wraps the service behind it."""
