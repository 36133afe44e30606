"""Fault 26: the gateway itself is told to end, killed, loses its disk, and has its clock set."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from cli.gameday import small_disk
from cli.gameday.fault import Answer, Fault, NotRun, Seen, Setting
from cli.gameday.lone_gateway import LoneGateway, lone_gateway
from cli.gameday.scene import Scene

ADDITION: tuple[str, dict[str, Any]] = ("calculator", {"expression": "6 * 7"})
JOURNAL = ".firebreak/journal/journal.db"
IN_FLIGHT = 10
"""Calls of `paced` that run or wait when the gateway is hit: fewer than its places and its queue hold."""
RUNNING = "firebreak_calls_in_flight"
TURNED_AWAY = ("OK", "UNAVAILABLE", "UNAVAILABLE DRAINING")
CUT_OFF = ("OK", "UNAVAILABLE")
BACK = 20.0
"""Seconds in which the launcher has started another gateway that knows its services."""
UNRECORDED = ("UNAVAILABLE JOURNAL_UNAVAILABLE", "DATA_LOSS ANSWER_WITHHELD")
PATIENCE = 10.0
FULL = "full disk"
HALF_AN_HOUR, A_DAY = 1800.0, 86_400.0
OPEN_FOR = 0.5
"""Seconds for which moody's breaker is OPEN; its service.yaml says so."""


async def hurt(scene: Scene) -> Seen:
    """One after the other; the full disk and the clock are those of a second gateway in front of the same services.

    In the short form that one is hurt in the first round only: to start it takes most of the time.
    """
    answers, problems, figures = list[Answer](), list[str](), dict[str, float]()
    for name, number in (("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)):
        figures[f"back_after_{name.lower()}_s"] = await _ended(scene, name, number, answers, problems)
    missing = ""
    if not scene.short or all(mark.label != FULL for mark in scene.marks):
        problems += await _clock_jump(scene)
        missing = await _full_disk(scene, problems)
    if missing and not problems:
        raise NotRun(missing)
    back = max(figures.values())
    return Seen(tuple(answers), None if back == float("inf") else back, figures=figures, problems=tuple(problems))


async def _ended(scene: Scene, name: str, number: signal.Signals, answers: list[Answer], problems: list[str]) -> float:
    """Ends the gateway under load; answers the seconds until calls are answered again, infinity for never."""
    pid = scene.instance.pid("gateway")
    drains = number is signal.SIGTERM
    running = [scene.begin("paced", {}, wanted="OK" if drains else CUT_OFF, arrived=drains) for _ in range(IN_FLIGHT)]
    await scene.until(lambda: scene.instance.metric(RUNNING) >= IN_FLIGHT, 2.0, "the calls in flight")
    began = scene.mark(name)
    os.kill(pid, number)
    await asyncio.sleep(0.02)
    turned_away = scene.begin(*ADDITION, wanted=TURNED_AWAY, timeout=5.0, arrived=False)
    answers += [await each.answer() for each in (*running, turned_away)]
    back = await _back(scene, began)
    if scene.instance.pid("gateway") == pid:
        problems.append(f"the gateway did not end by {name}")
    problems += await asyncio.to_thread(_inconsistent, scene)
    return float("inf") if back is None else back


async def _back(scene: Scene, began: float) -> float | None:
    """Seconds until a call is answered; those before it may find a closed door, one that closes, or nobody ready behind it."""
    wanted = (*TURNED_AWAY, "UNAVAILABLE TARGET_NOT_READY")
    while time.monotonic() < began + BACK:
        if (answer := await scene.call(*ADDITION, wanted=wanted, timeout=2.0, arrived=False)).code == "OK":
            return answer.at - began
        await asyncio.sleep(0.05)
    return None


def _inconsistent(scene: Scene) -> list[str]:
    proof = scene.instance.cli("journal", "verify", "--config", str(scene.instance.config))
    return [] if proof.returncode == 0 else [f"the journal is not whole: {proof.stdout[-300:]}{proof.stderr[-300:]}"]


async def _full_disk(scene: Scene, problems: list[str]) -> str:
    """Answers why it cannot be caused here, "" where it was."""
    before = small_disk.prefix(_disk(scene, "required"))
    if before is None:
        return "a full disk under the journal needs a small file system of our own: neither unshare nor bwrap may mount one"
    scene.mark(FULL)
    problems += await _required(scene, before)
    before = small_disk.prefix(_disk(scene, "besteffort"))
    assert before is not None  # the same way works twice
    problems += await _best_effort(scene, before)
    return ""


def _disk(scene: Scene, name: str) -> Path:
    folder = scene.instance.folder / name / "journal"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _required(scene: Scene, before: list[str]) -> list[str]:
    """Calls are refused while there is no room for their record, and served when there is."""
    settings = {"mode": "required", "timeout": "500ms"}
    async with lone_gateway(scene.instance, "required", settings, before=before) as gateway:
        answered = [await _until(gateway, ("OK",))]
        with small_disk.full(gateway.seen_disk):
            refused = await _until(gateway, UNRECORDED)
        answered.append(await _until(gateway, ("OK",)))
        recorded = await asyncio.to_thread(gateway.recorded)
    problems = [f"an answered call is not on record: {each.call_id}" for each in answered if not recorded[each.call_id]]
    right = (*(each.words == "OK" for each in answered), refused.words in UNRECORDED)
    return (
        problems if all(right) else [*problems, f"full disk, required: {[each.words for each in (*answered, refused)]}"]
    )


async def _best_effort(scene: Scene, before: list[str]) -> list[str]:
    """Calls go on, and what could not be kept is told."""
    settings = {"mode": "best-effort", "buffer": "64KiB"}
    async with lone_gateway(scene.instance, "besteffort", settings, before=before) as gateway:
        with small_disk.full(gateway.seen_disk):
            end = time.monotonic() + PATIENCE
            while (told := await asyncio.to_thread(gateway.status))["journal"]["lost"] == 0 and time.monotonic() < end:
                answers = [await gateway.caller.call(*ADDITION) for _ in range(10)]
                if any(answer.code != "OK" for answer in answers):
                    return [f"full disk, best-effort: calls end with {[answer.words for answer in answers]}"]
        back = (await gateway.caller.call(*ADDITION)).code
    lost = told["journal"]["lost"]
    return [] if lost and back == "OK" else [f"full disk, best-effort: {lost} lost calls are told, and then {back}"]


async def _until(gateway: LoneGateway, wanted: tuple[str, ...]) -> Answer:
    """The first call that ends so, or the last that did not in time."""
    end = time.monotonic() + PATIENCE
    while (answer := await gateway.caller.call(*ADDITION, wanted=wanted)).words not in wanted:
        if time.monotonic() > end:
            break
        await asyncio.sleep(0.02)
    return answer


async def _clock_jump(scene: Scene) -> list[str]:
    """The wall clock jumps forth and back: deadlines and breakers do not notice, tokens expire when they say so."""
    offset = scene.instance.folder / "offset"
    _set(offset, 0.0)
    program = ("cli.gameday.clock_shift", str(offset))
    ready = ("calculator", "paced", "moody")
    async with lone_gateway(scene.instance, "clock", {"mode": "required"}, program=program, ready=ready) as gateway:
        problems = []
        for seconds in (HALF_AN_HOUR, -HALF_AN_HOUR):
            problems += await _jump(scene, gateway, offset, seconds)
        problems += await _far(gateway, offset)
        _set(offset, 0.0)
        proof = await asyncio.to_thread(scene.instance.cli, "journal", "verify", "--config", str(gateway.config))
    return (
        problems
        if proof.returncode == 0
        else [*problems, f"after clock jumps the journal is not whole: {proof.stdout}"]
    )


def _set(offset: Path, seconds: float) -> None:
    """In one step: whoever reads the clock meanwhile finds the old time or the new one."""
    draft = offset.with_suffix(".part")
    draft.write_text(str(seconds))
    draft.replace(offset)


async def _jump(scene: Scene, gateway: LoneGateway, offset: Path, seconds: float) -> list[str]:
    """Beside calls in flight, and with a breaker that is OPEN."""
    caller, problems = gateway.caller, list[str]()
    opened = [(await caller.call("moody", {"mood": "crash"})).words for _ in range(12)]
    running = [caller.begin("paced", {}) for _ in range(4)]
    scene.mark(f"clock {seconds:+g} s")
    _set(offset, seconds)
    await asyncio.sleep(0.05)
    still = (await caller.call("moody", {})).words
    ended = [(await each.answer()).words for each in running]
    late = await caller.call("moody", {"seconds": 3.0}, timeout=0.5) if still == "OK" else None
    await asyncio.sleep(OPEN_FOR)
    again = await _healed(gateway)
    if opened[-1] != "UNAVAILABLE CIRCUIT_OPEN" or still != opened[-1] or late is not None:
        problems.append(f"clock {seconds:+g} s: the breaker was {opened[-1]}, then {still}")
    if set(ended) != {"OK"}:
        problems.append(f"clock {seconds:+g} s: calls in flight ended with {ended}")
    overdue = await caller.call("moody", {"seconds": 3.0}, timeout=0.5)
    if overdue.code != "DEADLINE_EXCEEDED" or not again:
        problems.append(
            f"clock {seconds:+g} s: a deadline of 0.5 s ended with {overdue.words}, the breaker healed: {again}"
        )
    return problems


async def _healed(gateway: LoneGateway) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (await gateway.caller.call("moody", {}, timeout=2.0)).code == "OK":
            return True
        await asyncio.sleep(0.05)
    return False


async def _far(gateway: LoneGateway, offset: Path) -> list[str]:
    """A day later the token has expired; when the clock is right again, so is the token."""
    _set(offset, A_DAY)
    await asyncio.sleep(0.05)
    expired = (await gateway.caller.call(*ADDITION)).words
    _set(offset, 0.0)
    await asyncio.sleep(0.05)
    right = (await gateway.caller.call(*ADDITION)).words
    if (expired, right) == ("UNAUTHENTICATED CREDENTIALS_EXPIRED", "OK"):
        return []
    return [f"a day later a token is {expired}, and then {right}"]


FAULTS = (
    Fault(
        26,
        "gateway: SIGTERM under load; SIGKILL; full disk under the journal; clock jump",
        "drains without a lost call; the journal is consistent; never unrecorded if `journal: required`",
        hurt,
        Setting(services=("paced", "moody"), own=True, changes={"journal": {"mode": "required", "path": JOURNAL}}),
        isolated=False,
        gateway_stays=False,
        recovery=BACK,
        limit=180.0,
    ),
)
