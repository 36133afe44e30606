"""Faults 1 to 6: a tool that hangs, is given up, raises, dies or takes too much memory. Only its worker goes."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from cli.gameday.calls import Running
from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.processes import alive, descendants, standing
from cli.gameday.scene import Scene

HAVOC = Setting(services=("havoc",))
NOTHING = {"do": "nothing"}
DEADLINE = 0.4
"""Seconds of the caller's deadline."""
DEFAULT = 1.0
"""`limits.deadline` of havoc: where the caller sets none the gateway ends the call."""
ATTEMPTS = 5
GONE = 2.0
"""Seconds within which a killed worker must be gone; what it takes is a figure."""
CPU_NOISE = 1.25
SECRETS = ("hunter2", "/srv/keys")


async def overruns(scene: Scene, do: str) -> Seen:
    """A call past its caller's deadline, one past the service's own, and one beside them that must not notice."""
    host = scene.instance.pid("havoc")
    running, (killed, problems) = await _past_its_deadline(scene, do)
    first = await running.answer()
    following = await scene.call("havoc", NOTHING, timeout=2.0)
    neighbour = scene.begin("havoc", {"do": "nap"}, timeout=3.0)
    second = await scene.call(
        "havoc", {"do": do}, timeout=None, due=DEFAULT, wanted="DEADLINE_EXCEEDED DEADLINE_EXCEEDED"
    )
    await neighbour.answer()
    back = await scene.healthy("havoc", NOTHING)
    if not alive(host):
        problems += ("the service's host is another process",)
    figures = {"kill_after_deadline_ms": killed * 1000, "next_call_ms": following.took * 1000}
    return Seen((first, second), back, figures=figures, problems=problems)


async def _past_its_deadline(scene: Scene, do: str) -> tuple[Running, tuple[float, tuple[str, ...]]]:
    """A call that runs into its deadline, and the seconds from then until its worker was gone."""
    for _ in range(ATTEMPTS):
        watch = scene.watch("havoc")
        try:
            running = scene.begin("havoc", {"do": do}, timeout=DEADLINE, streamed=True, wanted="DEADLINE_EXCEEDED")
            await running.progress(DEADLINE)
            gone = await watch.first(DEADLINE + GONE, since=running.deadline)
        except TimeoutError:
            await running.answer()  # its time was over before it reached the tool: the machine is busy
            continue
        finally:
            watch.close()
        if gone is None:
            return running, (GONE, (f"the worker still ran {GONE:g} s after the deadline",))
        return running, (gone[1] - running.deadline, ())
    return running, (GONE, (f"{ATTEMPTS} calls did not reach the tool within {DEADLINE:g} s",))


async def sleeps(scene: Scene) -> Seen:
    return await overruns(scene, "sleep")


async def busy(scene: Scene) -> Seen:
    """As a sleeping one; besides, how much of a core the whole service took."""
    before, start = _cpu(scene), time.monotonic()
    running = scene.begin("havoc", {"do": "busy"}, timeout=DEFAULT, wanted="DEADLINE_EXCEEDED")
    await asyncio.sleep(DEFAULT - 0.1)
    share = (_cpu(scene) - before) / (time.monotonic() - start)
    await running.answer()
    seen = await overruns(scene, "busy")
    cap, notes, problems = _cap(scene), seen.notes, seen.problems
    if cap is None:
        notes += ("the CPU share is not capped here: no cgroup for it",)
    elif share > cap * CPU_NOISE:
        problems += (f"the service took {share:.2f} cores, its share is {cap:g}",)
    return Seen(seen.answers, seen.recovered, notes, {**seen.figures, "cores_taken": share}, problems)


def _cpu(scene: Scene) -> float:
    """CPU seconds of the service's processes so far."""
    used = 0
    for pid in descendants(scene.instance.pid("havoc")):
        try:
            used += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        except OSError:
            continue  # it has ended
    return used / 1e9


def _cap(scene: Scene) -> float | None:
    """Cores that the service may take, where that is in force."""
    return 1.0 if scene.promised("havoc", "cpu") else None


async def cancelled(scene: Scene) -> Seen:
    """The caller goes away while the tool is at work."""
    watch = scene.watch("havoc")
    try:
        running = scene.begin("havoc", {"do": "busy"}, streamed=True, timeout=8.0, wanted="CANCELLED")
        await running.progress()
        at = running.cancel()
        gone = await watch.first(GONE, since=at)
    finally:
        watch.close()
    answer = await running.answer()
    following = await scene.call("havoc", NOTHING, timeout=2.0)
    problems = () if gone else (f"the tool still ran {GONE:g} s after its caller had gone",)
    figures = {"kill_after_cancel_ms": ((gone[1] - at) if gone else GONE) * 1000, "next_call_ms": following.took * 1000}
    return Seen((answer,), await scene.healthy("havoc", NOTHING), figures=figures, problems=problems)


async def secret(scene: Scene) -> Seen:
    """What an exception says stays inside, whether the caller streams or not."""
    answers = [
        await scene.call("havoc", {"do": "secret"}, wanted="TOOL_ERROR", streamed=streamed)
        for streamed in (False, True)
    ]
    problems = [
        f"the caller was told {word!r}"
        for answer in answers
        for word in SECRETS
        if word in answer.text + json.dumps(dict(answer.metadata))
    ]
    if not all(answer.text for answer in answers):
        problems.append("the caller was told nothing at all")
    return Seen(tuple(answers), await scene.healthy("havoc", NOTHING), problems=tuple(problems))


async def dies(scene: Scene) -> Seen:
    """Each way to die, beside a call that must not notice; then a READ tool that dies once, and is asked again by itself."""
    answers: list[Answer] = []
    problems: tuple[str, ...] = ()
    for how in ("exit", "segfault", "abort"):
        neighbour = scene.begin("havoc", {"do": "nap"}, timeout=3.0)
        answers.append(await scene.call("havoc", {"do": how}, wanted="UNAVAILABLE WORKER_DIED", due=0.5))
        await neighbour.answer()
        problems += await _attempts(scene, answers[-1], 1, f"{how} of a MUTATING tool")
    read = await scene.call("flaky", {"question": f"{scene.random.random()}"}, due=1.0)
    problems += await _attempts(scene, read, 2, "a READ tool that died once")
    return Seen((*answers, read), await scene.healthy("havoc", NOTHING), problems=problems)


async def _attempts(scene: Scene, answer: Answer, wanted: int, what: str) -> tuple[str, ...]:
    made = len((await scene.on_record(answer)).get("attempts", ()))
    return () if made == wanted else (f"{what}: {made} attempts instead of {wanted}",)


async def memory(scene: Scene) -> Seen:
    """One call takes all that its worker may have; the one beside it, and host and zygote, go on."""
    host = scene.instance.pid("havoc")
    others = standing(host)
    neighbour = scene.begin("havoc", {"do": "nap"}, timeout=3.0)
    answer = await scene.call("havoc", {"do": "memory"}, timeout=5.0, wanted="RESOURCE_EXHAUSTED MEMORY_EXCEEDED")
    await neighbour.answer()
    back = await scene.healthy("havoc", NOTHING)
    died = [f"more than the worker died: process {pid}" for pid in (host, *others) if not alive(pid)]
    return Seen((answer,), back, problems=tuple(died))


FAULTS = (
    Fault(1, "sync tool sleeps forever", "DEADLINE_EXCEEDED; worker killed", sleeps, HAVOC),
    Fault(2, "busy loop holding the GIL", "DEADLINE_EXCEEDED; worker killed; CPU share capped", busy, HAVOC),
    Fault(3, "client cancels mid-call", "worker stopped, nothing runs on", cancelled, HAVOC),
    Fault(4, "exception with secrets in its text", "TOOL_ERROR, safe message", secret, HAVOC),
    Fault(
        5,
        "os._exit, segfault, abort",
        "UNAVAILABLE (worker died); retried only if READ or IDEMPOTENT",
        dies,
        Setting(services=("havoc", "flaky")),
    ),
    Fault(6, "memory hog to the limit", "RESOURCE_EXHAUSTED; only the worker dies", memory, HAVOC),
)
