"""What a gateway tells of itself at its admin port, while a benchmark waits for it."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Callable, Sequence

from bench.fleet import Gateway

_PATIENCE = 60.0
_IN_FLIGHT = re.compile(r"^firebreak_calls_in_flight (\S+)$", re.MULTILINE)


async def written(gateway: Gateway) -> None:
    """Returns when the journal holds back nothing any more; raises TimeoutError."""
    if gateway.shape.journal != "none":
        await _until(
            lambda: not json.loads(_get(gateway, "/status"))["journal"]["queued_bytes"], "the journal is written"
        )


async def in_flight(gateway: Gateway, calls: Sequence[asyncio.Task[None]]) -> None:
    """Returns when these calls, and no others, are in flight; raises what one of them raised, or TimeoutError."""
    ended: list[asyncio.Task[None]] = []

    def known() -> bool:
        ended.extend(call for call in calls if call.done())
        return bool(ended) or _calls(gateway) == len(calls)

    await _until(known, f"{len(calls)} calls are in flight")
    for call in ended:
        call.result()


def _calls(gateway: Gateway) -> float:
    found = _IN_FLIGHT.search(_get(gateway, "/metrics"))
    assert found is not None
    return float(found[1])


def _get(gateway: Gateway, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.admin}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


async def _until(condition: Callable[[], bool], what: str) -> None:
    """Another process changes it, which tells nobody: it is asked again and again."""
    end = time.monotonic() + _PATIENCE
    while not await asyncio.to_thread(condition):
        if time.monotonic() > end:
            raise TimeoutError(f"not in time: {what}")
        await asyncio.sleep(0.02)
