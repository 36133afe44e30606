"""Rows 23 and 24: agents that want more than they were given, and agents that never stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from cli.gameday.agents import Told, puppets, tell
from cli.gameday.calls import Caller
from cli.gameday.fault import Answer, Fault, Seen, Setting
from cli.gameday.instance import PrivateInstance
from cli.gameday.scene import Scene

DENIED, NO_SESSION = "PERMISSION_DENIED POLICY_DENIED", "UNAUTHENTICATED SESSION_INVALID"
NOBODY = ("UNAUTHENTICATED CREDENTIALS_INVALID", "UNAUTHENTICATED CREDENTIALS_MISSING")
TOO_DEEP = "RESOURCE_EXHAUSTED DEPTH_EXCEEDED"
TOO_MANY = ("RESOURCE_EXHAUSTED CALL_BUDGET_EXCEEDED", "RESOURCE_EXHAUSTED RATE_LIMITED")
NO_TOKENS = "RESOURCE_EXHAUSTED RATE_LIMITED"
BUDGET = 256
"""Calls that one run may make in this instance: held to a pace, the usual number would take longer than its own call may."""
STORM = BUDGET + 400
"""Calls that are tried: more than any limit lets one run make."""
GUEST = "guest"
UNGRANTED = {"target": "calculator", "args": {"expression": "6 * 7"}}


async def greedy(scene: Scene) -> Seen:
    """Everything that an agent can try from inside its own process, with all that it has: its code, its token, its sessions."""
    caller, before = scene.usual, await _booked(scene)
    guest = scene.caller(scene.instance.issue(GUEST))
    tried = [
        await tell(caller, "puppet", {"do": "ungranted", **UNGRANTED}, DENIED),
        await tell(caller, "puppet", {"do": "forge"}, NO_SESSION),
        await tell(caller, "puppet", {"do": "bare"}, NO_SESSION),
        await tell(caller, "puppet", {"do": "replay"}, NO_SESSION),
        await tell(caller, "puppet", {"do": "lend", "to": "twin"}, ("OK", NO_SESSION)),
        await tell(caller, "puppet", {"do": "impersonate"}, NOBODY),
        await tell(guest, "puppet", {"do": "call"}, DENIED),
        *await _outlived(caller),
    ]
    booked = await _booked(scene) - before
    honest = await tell(caller, "puppet", {"do": "call"}, "OK")
    problems = [*_unexplained(tried), *_lent(tried[4])]
    if booked:
        problems.append(f"{booked} of the calls reached the tool")
    answers = [answer for told in tried for answer in told.tried]
    return Seen((*answers, *honest.tried), figures={"attempts": float(len(answers))}, problems=tuple(problems))


async def _outlived(caller: Caller) -> list[Told]:
    """What it starts before it answers goes on afterwards, with the session of a call that is over."""
    begun = await tell(caller, "puppet", {"do": "outlive", "after": 0.1}, NO_SESSION)
    await asyncio.sleep(0.15)
    return [begun, await tell(caller, "puppet", {"do": "tell_late"}, NO_SESSION)]


def _lent(told: Told) -> Iterable[str]:
    """The first of these calls asked the twin to use the token of another service: it may be asked, and must be refused."""
    if [answer.code for answer in told.tried] != ["OK", "UNAUTHENTICATED"]:
        yield f"a session that was given away: {', '.join(answer.words for answer in told.tried) or 'nothing was tried'}"


def _unexplained(tried: Iterable[Told]) -> Iterable[str]:
    for told in tried:
        for answer in told.tried:
            if answer.code != "OK" and not answer.text:
                yield f"{answer.words} without a word of why"
            if answer.words == DENIED and not (answer.metadata.get("rule") and answer.metadata.get("decision_id")):
                yield "a denial without the rule and the decision"


async def _booked(scene: Scene) -> int:
    answer = await scene.call("ledger", {"entry": "count"})
    return int(answer.text) if answer.code == "OK" else -1


async def endless(scene: Scene) -> Seen:
    """Two agents that ask each other for ever; one that calls a tool for ever; one that asks a model for ever."""
    caller = scene.usual
    deep = await tell(caller, "puppet", {"do": "bounce", "between": ["puppet", "twin"]}, ("OK", TOO_DEEP))
    many = await tell(caller, "puppet", {"do": "storm", "times": STORM, "at_once": 4}, ("OK", *TOO_MANY))
    costly = await tell(caller, "twin", {"do": "spend", "model": "meter", "times": 20}, ("OK", NO_TOKENS))
    problems = [
        f"{what} was never refused: {len(told.tried)} calls were made"
        for what, told in (("recursion", deep), ("a storm of calls", many), ("the token budget", costly))
        if not any(answer.code == "RESOURCE_EXHAUSTED" for answer in told.tried)
    ]
    figures = {
        "depth": float(len(deep.tried)),
        "calls_of_one_run": float(sum(answer.code == "OK" for answer in many.tried)),
    }
    last = [_refusal(told) for told in (deep, many, costly)]
    back = await scene.healthy("ledger", {"entry": "count"})
    return Seen(tuple(filter(None, last)), back, figures=figures, problems=tuple(problems))


def _refusal(told: Told) -> Answer | None:
    return next((answer for answer in told.tried if answer.code == "RESOURCE_EXHAUSTED"), None)


def _agents(instance: PrivateInstance) -> None:
    puppets(instance)
    instance.user(GUEST, "puppet")
    instance.configure(lambda config: config.setdefault("admission", {}).update(session_calls=BUDGET))


FAULTS = (
    Fault(
        23,
        "agent calls a tool without a grant; grants itself one; forges, replays, widens, outlives its session; another user",
        "PERMISSION_DENIED / UNAUTHENTICATED with a reason",
        greedy,
        Setting(services=("ledger", "meter"), prepare=_agents),
    ),
    Fault(
        24,
        "agent ↔ agent recursion; tool-call storm; budget overrun",
        "depth and budget limits: RESOURCE_EXHAUSTED",
        endless,
        Setting(services=("ledger", "meter"), prepare=_agents),
    ),
)
