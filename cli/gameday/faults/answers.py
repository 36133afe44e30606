"""Faults 10 to 12: answers that are too large, too slow, or never begin."""

from __future__ import annotations

from cli.gameday.fault import Fault, Seen, Setting
from cli.gameday.processes import memory
from cli.gameday.scene import Scene

HAVOC = Setting(services=("havoc",))
SILENT = Setting(services=("silent",))
NOTHING = {"do": "nothing"}
FLAT = 16.0
"""MiB that the gateway may grow by while an answer of a gigabyte is on its way to it."""
FIRST_EVENT, IDLE = 0.6, 0.7
"""Seconds, as in silent's service.yaml."""


async def flood(scene: Scene) -> Seen:
    """An answer beyond the worker's memory, one beyond the size limit, a million events; beside a call that must not notice."""
    gateway = scene.instance.pid("gateway")
    before = memory(gateway)
    neighbour = scene.begin("havoc", {"do": "nap"}, timeout=3.0)
    answers = (
        await scene.call("havoc", {"do": "large"}, timeout=5.0, wanted="RESOURCE_EXHAUSTED"),
        await scene.call("havoc", {"do": "8MiB"}, timeout=5.0, wanted="RESOURCE_EXHAUSTED RESPONSE_TOO_LARGE"),
        await scene.call(
            "havoc", {"do": "events"}, timeout=9.0, streamed=True, wanted="RESOURCE_EXHAUSTED RESPONSE_TOO_LARGE"
        ),
    )
    await neighbour.answer()
    grown = memory(gateway) - before
    back = await scene.healthy("havoc", NOTHING)
    problems = (f"the gateway grew by {grown:.0f} MiB",) if grown > FLAT else ()
    return Seen(answers, back, figures={"gateway_growth_mib": grown}, problems=problems)


async def trickle(scene: Scene) -> Seen:
    """The first event comes at once, the next one not before the service's `idle` is over."""
    running = scene.begin("silent", {"how": "trickle"}, streamed=True, wanted="DEADLINE_EXCEEDED IDLE_TIMEOUT")
    await running.progress()
    running.deadline = running.events[0][0] + IDLE
    answer = await running.answer()
    return Seen((answer,), await scene.healthy("silent", {"how": "not"}))


async def never(scene: Scene) -> Seen:
    """Nothing comes, to a caller that streams and to one that does not."""
    answers = [
        await scene.call(
            "silent",
            {"how": "never"},
            streamed=streamed,
            due=FIRST_EVENT,
            wanted="DEADLINE_EXCEEDED FIRST_EVENT_TIMEOUT",
        )
        for streamed in (True, False)
    ]
    return Seen(tuple(answers), await scene.healthy("silent", {"how": "not"}))


FAULTS = (
    Fault(
        10,
        "result of 1 GiB; a million tiny events",
        "RESOURCE_EXHAUSTED at the size limit; gateway memory flat",
        flood,
        HAVOC,
    ),
    Fault(11, "one byte a second forever", "idle timeout between events", trickle, SILENT),
    Fault(12, "never answers the first event", "first-event timeout", never, SILENT),
)
