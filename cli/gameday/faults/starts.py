"""Rows 15 to 18: services that do not start, keep on dying, take their time, or fail every other call."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

from firebreak.client.payload import tool_call
from firebreak.v1 import tool_pb2

from cli.gameday.calls import CALL, headers, new_trace
from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.guests import guest
from cli.gameday.instance import PrivateInstance
from cli.gameday.raw_http2 import HEADERS, RawClient
from cli.gameday.scene import Scene

NOT_READY, OPEN, DIED = "UNAVAILABLE TARGET_NOT_READY", "UNAVAILABLE CIRCUIT_OPEN", "UNAVAILABLE WORKER_DIED"
AT_ONCE = 0.25
"""Seconds in which a service that cannot answer must be told from one that is asked."""
REJECTION = 5.0
"""Milliseconds that a rejection may take."""
REJECTIONS = 25
"""So many are timed that those which come while the crashed workers' successors start are the fewer."""
CRASH, COUNT = {"mood": "crash"}, {"mood": "count"}
OPENS = 10.0
"""Seconds of bad calls within which the breaker must open: what came before must first leave its window."""
KILLED = "killed"
PROBES = 2
"""How many calls moody's HALF_OPEN breaker lets through; its service.yaml says so."""
OPEN_FOR = 1.0
LONGEST_START = 20.0
SLOW, PROBE = 0.7, 0.3
"""Seconds, more and less than moody's `slow_call`."""


async def upgrade(scene: Scene) -> Seen:
    """The framework was upgraded, and what the tool imports is gone."""
    told = [await scene.call("upgraded", {"text": "x"}, wanted=NOT_READY, due=0.0) for _ in range(3)]
    other = await scene.call("ledger", {"entry": "count"})
    problems = [
        f"the answer does not say why: {answer.metadata.get('cause', '')!r}"
        for answer in told
        if "ToolBeforeTheUpgrade" not in answer.metadata.get("cause", "")
    ]
    row = await asyncio.to_thread(scene.instance.service, "upgraded")
    if row["state"] != "not_ready" or "ToolBeforeTheUpgrade" not in row["reason"]:
        problems.append(f"firebreak status does not say why: {row['state']} {row['reason']!r}")
    return Seen((*told, other), figures={"told_after_ms": _middle(told)}, problems=tuple(problems))


async def crash_loop(scene: Scene) -> Seen:
    """First every call kills its worker. Then, once in a row's rounds, the process is killed each time that it has come up."""
    crashes = await _until_open(scene, *[CRASH] * 4)
    before = await scene.call("moody", {}, wanted=OPEN, due=0.0)
    times = await asyncio.to_thread(_times, scene)
    rejected = [before, await scene.call("moody", {}, wanted=OPEN, due=0.0)]
    recovered = await scene.healthy("moody", {})
    problems = [] if crashes[-1].words == OPEN else [f"the breaker did not open within {len(crashes)} calls"]
    if not any(answer.retry_after for answer in rejected):
        problems.append("no rejection says when to try again")
    figures = {"open_rejection_ms": median(times)}
    if any(mark.label == KILLED for mark in scene.marks):
        return Seen((*crashes[-2:], rejected[0]), recovered, figures=figures, problems=tuple(problems))
    waits, told = await _killed_again_and_again(scene)
    back = await scene.healthy("moody", {}, seconds=15.0)
    if any(later <= sooner for sooner, later in pairwise(waits)):
        problems.append(f"the launcher does not back off: it waited {waits} s")
    figures |= {"down_rejection_ms": _middle(told), "last_back_off_s": waits[-1]}
    recovered = None if recovered is None or back is None else max(recovered, back)
    return Seen((*crashes[-2:], rejected[0], told[0]), recovered, figures=figures, problems=tuple(problems))


def _times(scene: Scene) -> list[float]:
    """Milliseconds from asking to the answer's headers, at the socket: what a caller's library takes is its own."""
    request = tool_pb2.ToolServiceCallRequest(call=tool_call("moody", {}, "")).SerializeToString()
    client, times = RawClient(f"127.0.0.1:{scene.instance.ports['public']}"), list[float]()
    try:
        for _ in range(REJECTIONS):
            metadata = headers(scene.instance.token, new_trace())
            began = time.monotonic()
            client.begin(CALL, metadata)
            client.say(request)
            next(kind for kind in client.frames(AT_ONCE) if kind == HEADERS)
            times.append((time.monotonic() - began) * 1000)
    finally:
        client.close()
    return times


async def _until_open(scene: Scene, *calls: dict[str, Any]) -> list[Answer]:
    """These calls together, again and again until the breaker rejects one; rejections last."""
    tried: list[Answer] = []
    end = time.monotonic() + OPENS
    while time.monotonic() < end and not any(answer.words == OPEN for answer in tried):
        asked = (scene.call("moody", args, wanted=(DIED if "mood" in args else "OK", OPEN), due=SLOW) for args in calls)
        tried += await asyncio.gather(*asked)
    return sorted(tried, key=lambda answer: answer.words == OPEN)


async def _killed_again_and_again(scene: Scene) -> tuple[list[float], list[Answer]]:
    """Kills the service's process as often as it comes up, and calls it meanwhile. The seconds for which it stayed away."""
    waits, told = [], []
    for _ in range(2 if scene.short else 3):
        pid = await scene.until(lambda: scene.instance.pid("moody"), 10.0, "moody has a process")
        os.kill(pid, signal.SIGKILL)
        killed = scene.mark(KILLED)
        await scene.until(lambda: scene.instance.service("moody")["state"] != "ready", 5.0, "its death is seen")
        told += [await scene.call("moody", {}, wanted=NOT_READY, due=0.0) for _ in range(5)]
        await scene.until(partial(_started_again, scene, pid), 15.0, "it is started again")
        waits.append(round(time.monotonic() - killed, 2))
    return waits, told


def _started_again(scene: Scene, before: int) -> bool:
    return scene.instance.pid("moody") not in (0, before)


async def slow_start(scene: Scene) -> Seen:
    """A new version needs seconds before it can serve: the one before goes on. Once in a row's rounds there is none before,
    because it was killed."""
    replaced = await _replaced(scene)
    if replaced.problems or any(mark.label == KILLED for mark in scene.marks):
        return replaced
    alone = await _alone(scene)
    recovered = None if alone.recovered is None else max(alone.recovered, replaced.recovered or 0.0)
    return Seen((*replaced.answers, *alone.answers), recovered, figures=alone.figures, problems=alone.problems)


async def _replaced(scene: Scene) -> Seen:
    """Every call is answered, and none by a process that was not ready when it came."""
    before = await scene.call("sleepy", {})
    (scene.instance.folder / "guests/sleepy/edited").write_text(before.text)
    edited = scene.mark("a new version")
    told = await _until_awake(scene, edited, wanted="OK")
    recovered, problems = _found(told, edited)
    return Seen((before, told[-1]), recovered, problems=problems)


async def _alone(scene: Scene) -> Seen:
    """Who calls meanwhile is told at once."""
    os.kill(scene.instance.pid("sleepy"), signal.SIGKILL)
    killed = scene.mark(KILLED)
    told = await _until_awake(scene, killed, wanted=("OK", "UNAVAILABLE"))
    waited = [answer for answer in told if answer.reason == "TARGET_NOT_READY"]
    recovered, problems = _found(told, killed)
    if not waited:
        problems += ("no call found it starting",)
    return Seen((*waited[:1], told[-1]), recovered, figures={"told_after_ms": _middle(waited)}, problems=problems)


async def _until_awake(scene: Scene, since: float, wanted: str | tuple[str, ...]) -> list[Answer]:
    """Calls until a process answers that came up after `since`."""
    told: list[Answer] = []
    while time.monotonic() - since < LONGEST_START:
        told.append(await scene.call("sleepy", {}, wanted=wanted, timeout=2.0, due=AT_ONCE))
        if told[-1].code == "OK" and float(told[-1].text) > since:
            break
        await asyncio.sleep(0.05)
    return told


def _found(told: list[Answer], since: float) -> tuple[float | None, tuple[str, ...]]:
    """The seconds from when the new process could serve to its first answer, and what was wrong."""
    last = told[-1]
    awake = float(last.text) if last.code == "OK" else 0.0
    if awake <= since:
        return None, (f"nothing new answered within {LONGEST_START:g} s",)
    early = awake > last.at - last.took
    return max(0.0, last.at - awake), ("a call was sent to it before it could serve",) if early else ()


async def brown_out(scene: Scene) -> Seen:
    """Every other call fails; then all are right and slow. Each time the breaker opens, and lets only its probes through."""
    errors, after_errors = await _opened(scene, "errors", _until_open(scene, CRASH, {}, CRASH, {}))
    slowness, after_slowness = await _opened(scene, "slowness", _until_open(scene, *[{"seconds": SLOW}] * 4))
    recovered = await scene.healthy("moody", {})
    figures = {"calls_until_open": _passed(errors), "slow_calls_until_open": _passed(slowness)}
    problems = (*after_errors, *after_slowness)
    return Seen((*errors[-3:], *slowness[-2:]), recovered, figures=figures, problems=problems)


async def _opened(scene: Scene, why: str, opening: Coroutine[Any, Any, list[Answer]]) -> tuple[list[Answer], list[str]]:
    """The calls that opened the breaker, and what was wrong when it was HALF_OPEN under many calls, which the tool counts."""
    before = await _count(scene)
    tried = await opening
    if tried[-1].words != OPEN:
        return tried, [f"{why} did not open the breaker within {len(tried)} calls"]
    await asyncio.sleep(OPEN_FOR + 0.1)
    scene.mark(f"half open after {why}")
    calls = (scene.call("moody", {"seconds": PROBE}, wanted=("OK", OPEN), due=PROBE) for _ in range(10))
    probes = await asyncio.gather(*calls)
    passed = sum(answer.code == "OK" for answer in probes)
    if await scene.healthy("moody", COUNT) is None:
        return tried, [f"the breaker did not close after {why}"]
    reached = await _count(scene) - before - sum(answer.words != OPEN for answer in tried)
    if passed != PROBES or reached != PROBES:
        return tried, [f"HALF_OPEN after {why}: {reached} of {len(probes)} calls reached the service, and not {PROBES}"]
    return tried, []


def _passed(tried: list[Answer]) -> float:
    return float(sum(answer.words != OPEN for answer in tried))


async def _count(scene: Scene) -> int:
    """How many calls have reached the tool; asking is not counted."""
    answer = await scene.call("moody", COUNT)
    return int(answer.text) if answer.code == "OK" else -1


def _sleepy(instance: PrivateInstance) -> None:
    guest(instance, "sleepy")


def _middle(answers: list[Answer]) -> float:
    """Milliseconds from sending to the answer, the median."""
    return median(answer.took for answer in answers) * 1000 if answers else 0.0


FAULTS = (
    Fault(
        15,
        "service does not start: import error from a broken framework upgrade",
        "UNAVAILABLE at once with the reason; others start",
        upgrade,
        Setting(services=("upgraded", "ledger")),
    ),
    Fault(
        16,
        "crash loop",
        "back-off, breaker OPEN, rejected in under 5 ms",
        crash_loop,
        Setting(services=("moody",)),
        recovery=10.0,
        at_most={"open_rejection_ms": REJECTION},
    ),
    Fault(
        17,
        "slow start",
        "not routed to before it is healthy",
        slow_start,
        Setting(prepare=_sleepy),
    ),
    Fault(
        18,
        "50 % errors; slow-call brown-out",
        "breaker opens on rate; HALF_OPEN admits only its probes",
        brown_out,
        Setting(services=("moody",)),
    ),
)
