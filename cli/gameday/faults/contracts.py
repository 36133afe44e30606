"""Rows 13 and 14: services that do not keep to the contract."""

from __future__ import annotations

from collections.abc import Iterable

from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.impostor import impostor
from cli.gameday.scene import Scene
from cli.gameday.stage import SERVICES

BROKEN = "INTERNAL CONTRACT_VIOLATED"
RAW = SERVICES / "liar/raw.py"
UNARY_LIES = ("garbage", "other message", "nothing", "empty", "bare status")
STREAMED_LIES = ("garbage", "other message", "two ends", "no end", "nothing", "wrong number")
SECRET = "hunter2"
PATIENCE = 0.5
"""Seconds that the caller of a unary method gives a target which answers twice: gRPC itself never ends such a call."""


async def lies(scene: Scene) -> Seen:
    """A server that is no runtime stands where the service was, and answers with everything but what was promised."""
    honest = await scene.call("liar", {})
    async with impostor(scene, "liar", RAW):
        scene.mark("the liar serves")
        told = [await _told(scene, lie, streamed=False) for lie in UNARY_LIES]
        told += [await _told(scene, lie, streamed=True) for lie in STREAMED_LIES]
        twice = await scene.call("liar", {"lie": "two ends"}, wanted=(BROKEN, "DEADLINE_EXCEEDED"), timeout=PATIENCE)
        ended = scene.mark("the liar ends")
    back = await scene.healthy("liar", {}, since=ended)
    return Seen((honest, *told, twice), back, problems=tuple(_unnamed(told)))


async def _told(scene: Scene, lie: str, streamed: bool) -> Answer:
    return await scene.call("liar", {"lie": lie}, wanted=BROKEN, streamed=streamed, due=0.0)


async def misfit(scene: Scene) -> Seen:
    """The tool hands over something else than its own output schema says."""
    told = [await scene.call("liar", {"lie": True}, wanted=BROKEN, streamed=streamed, due=0.0) for streamed in (0, 1)]
    return Seen(tuple(told), await scene.healthy("liar", {}), problems=tuple(_unnamed(told)))


def _unnamed(answers: Iterable[Answer]) -> Iterable[str]:
    for answer in answers:
        if answer.metadata.get("target") != "liar" or "liar" not in answer.text:
            yield f"an answer does not name the service: {answer.text}"
        if SECRET in answer.text:
            yield "an answer has in it what only the service's log may have"


FAULTS = (
    Fault(
        13,
        "garbage instead of protobuf; another message; two terminal events; none",
        "INTERNAL (contract violated), names the service",
        lies,
        Setting(services=("liar",)),
    ),
    Fault(
        14,
        "result that breaks its own output schema",
        "INTERNAL (contract violated)",
        misfit,
        Setting(services=("liar",)),
    ),
)
