"""Faults 7 to 9: a tool that takes processes, threads, descriptors or disk without end meets a bound."""

from __future__ import annotations

import json

from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.processes import descendants
from cli.gameday.scene import Scene

HAVOC = Setting(services=("havoc",))
NOTHING = {"do": "nothing"}
TIMEOUT = 3.0
SWEPT = 5.0
"""Seconds within which nothing may be left of what a killed worker started."""


async def bombs(scene: Scene) -> Seen:
    """Processes, then threads. Each reports how many it got and never ends by itself; then nothing of it may be left."""
    before = len(descendants(scene.instance.pid("havoc")))
    answers, notes, problems = [], [], []
    for bomb in ("forks", "threads"):
        running = scene.begin("havoc", {"do": bomb}, streamed=True, timeout=TIMEOUT, wanted="DEADLINE_EXCEEDED")
        try:
            told = json.loads(await running.progress(TIMEOUT))["data"]
            notes.append(f"{bomb}: {told['reached']}")
            if told["reached"] >= told["most"]:
                problems.append(f"{bomb}: nothing but the bomb's own bound of {told['most']} stopped it")
        except TimeoutError as error:
            problems.append(f"{bomb}: {error}")
        answers.append(await running.answer())
    back = await scene.healthy("havoc", NOTHING)
    await scene.until(
        lambda: len(descendants(scene.instance.pid("havoc"))) <= before + 1, SWEPT, "the bombs' processes gone"
    )
    return Seen(tuple(answers), back, tuple(notes), problems=tuple(problems))


async def descriptors(scene: Scene) -> Seen:
    """Beside a call that must not notice."""
    neighbour = scene.begin("havoc", {"do": "nap"}, timeout=TIMEOUT)
    answer = await scene.call("havoc", {"do": "descriptors"}, timeout=TIMEOUT)
    await neighbour.answer()
    return Seen((answer,), await scene.healthy("havoc", NOTHING), (answer.text,), problems=_bounded(answer, "EMFILE"))


async def disk(scene: Scene) -> Seen:
    """What was filled stays full until it is tidied up; the service answers all the same."""
    answer = await scene.call("havoc", {"do": "disk"}, timeout=TIMEOUT)
    back = await scene.healthy("havoc", NOTHING)
    await scene.call("havoc", {"do": "tidy"}, timeout=TIMEOUT)
    return Seen((answer,), back, (answer.text,), problems=_bounded(answer, "ENOSPC"))


def _bounded(answer: Answer, error: str) -> tuple[str, ...]:
    """The tool says which error of the system ended it, or that none did."""
    return () if answer.text.startswith(error) else (f"not bounded by {error}: {answer.text or answer.words}",)


FAULTS = (
    Fault(7, "fork bomb, thread bomb", "bounded by the pid limit", bombs, HAVOC, recovery=8.0),
    Fault(8, "file-descriptor exhaustion", "bounded by rlimit", descriptors, HAVOC),
    Fault(9, "disk filler in /tmp", "bounded by tmpfs size", disk, HAVOC),
)
