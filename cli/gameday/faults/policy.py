"""Row 25: the policy, and the engine that decides by it, fail in every way; nothing is allowed by that."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.gameday.calls import Caller
from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.guests import SERVICES, environment
from cli.gameday.instance import PrivateInstance
from cli.gameday.opa import Opa, find_opa
from cli.gameday.record import Journal
from cli.gameday.scene import Scene

UNAVAILABLE, DENIED = "PERMISSION_DENIED POLICY_UNAVAILABLE", "PERMISSION_DENIED POLICY_DENIED"
COUNT = {"entry": "count"}
TIMEOUT = 0.25
"""Seconds that a decision may take: the default of policy.timeout."""
IN_FORCE = 10.0
"""Seconds within which an edit of the policy must have been looked at on a busy machine."""
STRANGER = "stranger"
OPA = "a real OPA"

REFUSED = {
    "a syntax error": "allowed if {\n",
    "a rule for everybody": "allowed if true\n",
    "a built-in that reaches out": 'stolen := http.send({"method": "get", "url": "http://127.0.0.1"})\n',
    "two rules that contradict each other": 'decision := {"allow": true} if input.target.name == "ledger"\n',
}
"""Bundles that must not replace the one in force, by what is wrong with them."""

AT_WORK = 'at_work if {\n\tinput.target.name == "ledger"\n\tinput.principal.issuer == "users"\n}\n\n'
ACCEPTED = {
    "an undefined decision": AT_WORK,
    "an error": AT_WORK + 'obligations["timeout_ms"] := 1 / (count(input.session.chain) - 1) if at_work\n',
    "an obligation that is none": AT_WORK + 'obligations["timeout_ms"] := "soon" if at_work\n',
}
"""What no test of a bundle finds: it goes wrong only when a person calls the ledger for real."""


async def fails_closed(scene: Scene) -> Seen:
    """Bad bundles go into the engine in the gateway's process; once in a row's rounds a real OPA is slow, dead, and lies."""
    stranger = scene.caller(scene.instance.issue(STRANGER))
    problems: list[str] = []
    for what, text in REFUSED.items():
        problems += await _refused(scene, stranger, what, text)
    answers = [await _accepted(scene, what, text) for what, text in ACCEPTED.items()]
    back = await scene.healthy("ledger", COUNT)
    notes: tuple[str, ...] = ()
    if not any(mark.label == OPA for mark in scene.marks):
        scene.mark(OPA)
        notes = (SLOW_RULE,)
        if (program := find_opa()) is None:
            notes += ("OPA is not installed here: what it does slow, dead and lying was not run",)
        else:
            asked, wrong = await _with_opa(program)
            answers += asked
            problems += wrong
    return Seen(tuple(answers), back, notes, problems=tuple(problems))


SLOW_RULE = (
    "a slow rule inside the gateway's own engine was not run: nothing interrupts it, and every call waits; use OPA where "
    "policies are not known to be quick"
)


async def _refused(scene: Scene, stranger: Caller, what: str, text: str) -> list[str]:
    """Pushes a bundle that is wrong: who may call still may, and nobody else."""
    revision = _policy(scene.instance)["revision"]
    async with _pushed(scene.instance, text):
        await scene.until(lambda: _policy(scene.instance)["error"], IN_FORCE, f"{what} is seen")
        await scene.call("ledger", COUNT)
        await stranger.call("ledger", COUNT, wanted=DENIED)
        replaced = _policy(scene.instance)["revision"] != revision
    await scene.until(lambda: not _policy(scene.instance)["error"], IN_FORCE, f"{what} is gone")
    return [f"a bundle with {what} replaced a good one"] if replaced else []


async def _accepted(scene: Scene, what: str, text: str) -> Answer:
    """Pushes a bundle that goes wrong when it is asked about the ledger, and calls that."""
    revision = _policy(scene.instance)["revision"]
    async with _pushed(scene.instance, text, undefined="undefined" in what):
        await scene.until(lambda: _policy(scene.instance)["revision"] != revision, IN_FORCE, f"{what} is in force")
        scene.mark(what)
        answer = await scene.call("ledger", COUNT, wanted=UNAVAILABLE, due=0.0)
    await scene.until(lambda: _policy(scene.instance)["revision"] == revision, IN_FORCE, f"{what} is gone")
    return answer


@asynccontextmanager
async def _pushed(instance: PrivateInstance, text: str, undefined: bool = False) -> AsyncIterator[None]:
    """One more module beside the shipped ones; with `undefined` the decision itself is none where that says so."""
    module, decision = (instance.policies / "firebreak/main" / name for name in ("gameday.rego", "decision.rego"))
    shipped = decision.read_text()
    module.write_text(f"package firebreak.main\n\n{text}")
    if undefined:
        decision.write_text(shipped.replace("allowed\n}", "allowed\n\tnot at_work\n}"))
    try:
        yield
    finally:
        module.unlink()
        decision.write_text(shipped)


def _policy(instance: PrivateInstance) -> dict[str, str]:
    policy: dict[str, str] = instance.status()["gateway"]["policy"]
    return policy


async def _with_opa(program: str) -> tuple[list[Answer], list[str]]:
    """An instance of its own, because everything that OPA decides is refused then."""
    opa = Opa(program)
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    instance = PrivateInstance(folder / "o", [SERVICES / "ledger"], {"ledger": environment("calculator")})
    instance.configure(lambda config: config["policy"].update(engine="opa", opa={"url": opa.url}))
    try:
        await opa.start()
        await _started(instance)
        caller = Caller(f"127.0.0.1:{instance.ports['public']}", instance.token)
        try:
            problems = await _opa_fails(opa, caller)
        finally:
            await caller.close()
        recorded = await asyncio.to_thread(Journal(instance).settled, caller.answers)
        wrong = [answer for answer in caller.answers if not answer.right or answer.late or recorded.problem(answer)]
        problems += [f"with OPA: {answer.words} {recorded.problem(answer)}".strip() for answer in wrong]
        return caller.answers, problems
    finally:
        opa.kill()
        if instance.process is not None:
            await asyncio.to_thread(instance.stop)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _started(instance: PrivateInstance) -> None:
    """Starts it with what the neighbours leave of the processor: its start is no part of the fault."""
    starting = asyncio.ensure_future(asyncio.to_thread(instance.start))
    while instance.process is None and not starting.done():  # noqa: ASYNC110 - a thread makes it
        await asyncio.sleep(0.001)
    if instance.process is not None:
        os.setpriority(os.PRIO_PROCESS, instance.process.pid, 10)
    await starting


async def _opa_fails(opa: Opa, caller: Caller) -> list[str]:
    """Slow, dead, and another program in its place: each time calls are refused within a decision's time, and then go on."""
    problems = await _back(caller, "at first")
    opa.hold()
    await _refusals(caller)
    opa.go_on()
    problems += await _back(caller, "after it was slow")
    opa.kill()
    await _refusals(caller)
    async with opa.nonsense():
        await _refusals(caller)
    await opa.start()
    return problems + await _back(caller, "after it was dead, and empty when it came back")


async def _refusals(caller: Caller) -> None:
    for _ in range(3):
        await caller.call("ledger", COUNT, wanted=UNAVAILABLE, due=TIMEOUT)
        await asyncio.sleep(0.1)


async def _back(caller: Caller, when: str) -> list[str]:
    """Until calls are allowed again."""
    end = asyncio.get_running_loop().time() + IN_FORCE
    while asyncio.get_running_loop().time() < end:
        if (await caller.call("ledger", COUNT, wanted=("OK", UNAVAILABLE))).code == "OK":
            return []
        await asyncio.sleep(0.05)
    return [f"with OPA nothing is allowed any more {when}"]


def _stranger(instance: PrivateInstance) -> None:
    instance.user(STRANGER)


FAULTS = (
    Fault(
        25,
        "policy engine dead, slow, undefined result, error, broken bundle pushed",
        "fails closed; a bad bundle never replaces a good one",
        fails_closed,
        Setting(services=("ledger",), prepare=_stranger),
        limit=180.0,
    ),
)
