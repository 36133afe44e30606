"""The gateway's life: everything starts, runs until told to stop, and drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging

from gateway.assembly import Parts
from gateway.memory import give_back
from gateway.running import Running

_log = logging.getLogger("firebreak")

_FAREWELL = 1.0
"""Seconds for the last answers to reach their callers after the calls have ended."""

_LULL = 0.25
"""Seconds without a call after which the listeners close, and connections end. A call that comes in that very moment finds its
connection gone: so everybody who calls must have been refused, and turned elsewhere, before."""

_CROWD = 1.5
"""Seconds after which they close all the same."""

_JOURNAL = 10.0
"""Seconds for the journal to write what it holds: enough for a slow disk, and an end for one that hangs."""

AFTERWARDS = _CROWD + 2 * _FAREWELL + _JOURNAL
"""Seconds that the gateway may take to end once calls have had their time; the record's last spans come on top."""


async def run(parts: Parts, stop: asyncio.Event, drain: float) -> bool:
    """Serves until `stop` is set, then lets calls in flight finish for at most `drain` seconds.

    False when a part that must always run ended by itself; the gateway then stops too, because it could no longer know
    who calls, what policy says or where its targets are.
    """
    parts.journal.start()
    try:
        return await _serve(parts, stop, drain)
    finally:
        # After the last call has ended, and whatever else went wrong: what it still holds is nowhere else.
        await asyncio.to_thread(parts.journal.close, _JOURNAL)
        await asyncio.to_thread(parts.record.close)


async def _serve(parts: Parts, stop: asyncio.Event, drain: float) -> bool:
    background = {
        asyncio.create_task(coroutine, name=name)
        for name, coroutine in (
            ("policy", parts.policy.run()),
            ("identity", _forever(parts)),
            ("registry", parts.registry.run(parts.prober)),
            ("proof", parts.guard.run()),
            ("configuration", parts.reload.run()),
            ("admin", parts.admin.run()),
            ("memory", give_back()),
            *((("quotas", parts.quotas.run()),) if parts.quotas is not None else ()),
        )
    }
    await _listen(parts)
    stopping = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait({stopping, *background}, return_when=asyncio.FIRST_COMPLETED)
    for task in ended - {stopping}:
        _log.error("%s ended by itself; the gateway stops", task.get_name(), exc_info=task.exception())
    await _drain(parts, drain)
    stopping.cancel()
    await _end(parts, background)
    return not ended - {stopping}


async def _forever(parts: Parts) -> None:
    await parts.identity.run()


async def _listen(parts: Parts) -> None:
    await parts.public.start()
    for bound in parts.servers:
        await bound.server.start()
    parts.progress.listening = True
    # What is alive now stays alive: the collector need not walk it again in the middle of calls.
    gc.collect()
    gc.freeze()
    _log.info("the gateway takes calls")


async def _drain(parts: Parts, seconds: float) -> None:
    """New calls are refused, those of services for calls in flight are not; then the listeners close."""
    parts.progress.draining = True
    await parts.public.drain()
    _log.info("draining: %d calls in flight", len(parts.progress.running))
    try:
        async with asyncio.timeout(seconds):
            await parts.progress.running.finished()
    except TimeoutError:
        _log.warning("%d calls did not end in time and are cut off", len(parts.progress.running))
    await _refuse(parts.progress.running)
    await asyncio.gather(*(bound.stop(_FAREWELL) for bound in parts.servers))


async def _refuse(running: Running) -> None:
    """Until no call comes any more, or for `_CROWD`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CROWD):
            while await running.next(_LULL):
                pass


async def _end(parts: Parts, background: set[asyncio.Task[None]]) -> None:
    parts.admin.stop()
    for task in background:
        if task.get_name() != "admin":
            task.cancel()
    # Not gathered: what does not heed its end would hold up the gateway's for ever.
    done, left = await asyncio.wait(background, timeout=_FAREWELL)
    await asyncio.gather(*done, return_exceptions=True)
    for task in left:
        _log.warning("%s did not end in time", task.get_name())
    await parts.upstream.close()
    await parts.policy.close()
    if parts.quotas is not None:
        await parts.quotas.close()
