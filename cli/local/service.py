"""One service's life under the launcher: started, replaced without losing a call, and ended when it is not wanted any more."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum

from cli.local.house import House, Running, Wanted
from cli.local.process import write_state
from cli.local.sandbox.claims import NoWall
from cli.local.sockets import NoRoom
from cli.local.trial import Verdict, trial
from cli.local.view import NOTHING, Report, drains, row


class Outcome(StrEnum):
    """What has become of a service since it was configured as it is now."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class LocalService:
    """At most one process in use, one on trial, and those on their way out."""

    def __init__(self, name: str, house: House) -> None:
        self.name = name
        self.outcome = Outcome.PENDING
        self._house = house
        self._wanted: Wanted | None = None
        self._tried: tuple[Wanted, tuple[str, str] | None] | None = None
        self._current: Running | None = None
        self._changed = asyncio.Event()

    def want(self, wanted: Wanted | None) -> None:
        """What shall be from now on, None for nothing. The same again is no change unless the environment became another."""
        self._wanted = wanted
        self._changed.set()

    async def run(self) -> None:
        """Brings about what is wanted, until it is cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._wanted is None:
                self._remove()
            elif self._is_new(self._wanted):
                await self._bring_about(self._wanted)

    def _is_new(self, wanted: Wanted) -> bool:
        if self._tried is None or self._tried[0] != wanted:
            return True
        environment = self._house.environments.mark(self.name)
        return environment is not None and environment != self._tried[1]

    def _stale(self) -> bool:
        """Whether something else is wanted than what is being tried."""
        return self._wanted is None or self._is_new(self._wanted)

    async def _bring_about(self, wanted: Wanted) -> None:
        self.outcome = Outcome.PENDING
        reason = await self._house.environments.why_not(self.name, wanted.recipe)
        self._tried = wanted, self._house.environments.mark(self.name)
        try:
            if reason:
                self._not_brought_about(reason)
            elif self._current is None:
                await self._use_at_once(self._house.start(wanted))
            elif not self._current.socket:
                await self._restart(self._current, wanted)
            else:
                await self._replace(self._current, self._house.start(wanted))
        except (NoRoom, NoWall, ValueError, OSError) as error:
            self._not_brought_about(str(error))

    async def _use_at_once(self, running: Running) -> None:
        """There is no other: it is in use whether it becomes ready or not, and the gateway sees for itself."""
        self._use(running)
        report = await self._house.gateway.until(lambda report: self._stale() or self._settled(report, running))
        found = row(report, self.name)
        if self._stale():
            return
        if found is not None and found["state"] == "ready":
            self._ready(found)
        else:
            self._failed(running.process.reason or str(found["reason"] if found else ""))

    async def _restart(self, before: Running, wanted: Wanted) -> None:
        """An address with a port has room for one process only."""
        self._house.say(
            f"{self.name}: changed; it is on a port, so it ends before it starts again, and calls in between fail"
        )
        self._current = None
        await self._house.end(before)
        running = self._house.start(wanted)
        self._use(running)
        if verdict := await trial(running.config, running.own, running.process, self._stale):
            await self._conclude(running, verdict)

    async def _replace(self, before: Running, running: Running) -> None:
        """The new process takes over when it is ready; if it cannot be, the one before goes on, unless that is no better."""
        self._house.say(f"{self.name}: changed, starting a second process beside the one in use")
        verdict = await trial(running.config, running.own, running.process, self._stale)
        if verdict is None or not (verdict.ready or await self._is_lost()):
            self._house.beside(self._house.end(running))
            if verdict is not None:
                self._not_brought_about(verdict.reason)
            return
        self._use(running)
        self._house.beside(self._retire(before))
        await self._conclude(running, verdict)

    async def _conclude(self, running: Running, verdict: Verdict) -> None:
        """Says how it went; that a process is in use only when the gateway says so too."""
        if not verdict.ready:
            self._failed(verdict.reason)
            return
        report = await self._house.gateway.until(lambda report: self._stale() or self._judged(report, running))
        found = row(report, self.name)
        if found is None or self._stale():
            return
        if reason := _refused(found, running):
            self.outcome = Outcome.FAILED
            self._house.say(f"{self.name}: the gateway does not use the new version. {reason}")
        else:
            self._ready(found)

    def _judged(self, report: Report, running: Running) -> bool:
        """Whether the gateway has looked at this process for itself."""
        found = row(report, self.name)
        return _ready_at(found, running) or bool(_refused(found, running))

    def _use(self, running: Running) -> None:
        try:
            if running.socket:
                self._house.sockets.point(running.address, running.own)
        except OSError:
            self._house.beside(self._house.end(running))
            raise
        self._current = running
        running.process.publish(self._house.state_file(self.name))

    async def _is_lost(self) -> bool:
        """Whether the process in use does not serve either; while the gateway does not answer it is taken to do so."""
        found = row(await self._house.gateway.until(lambda _: True), self.name)
        return found is not None and found["state"] != "ready"

    def _remove(self) -> None:
        self._tried = None
        if self._current is not None:
            self._house.say(f"{self.name}: removed, its calls in flight may finish")
            self._house.beside(self._retire(self._current))
        self._current = None

    async def _retire(self, before: Running) -> None:
        """Ends a process when the gateway has turned away from it, and its calls there have ended or had their grace."""
        gateway = self._house.gateway
        await gateway.until(lambda report: report is not NOTHING and not _reaches(row(report, self.name), before))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(before.grace):
                await gateway.until(
                    lambda report: report is not NOTHING and not drains(report, self.name, before.socket)
                )
        await self._house.end(before)
        if self._wanted is None and not self._house.processes_of(self.name):
            self._house.forget(self.name)
            self._house.say(f"{self.name}: ended")

    def _settled(self, report: Report, running: Running) -> bool:
        found = row(report, self.name)
        failed = found is not None and found["state"] == "not_ready" and found["reason"]
        return bool(running.process.restarts or failed or _ready_at(found, running))

    def _ready(self, found: Report) -> None:
        self.outcome = Outcome.READY
        self._house.say(f"{self.name}: ready ({found['framework']} {found['framework_version']})")

    def _failed(self, reason: str) -> None:
        """Nothing serves now."""
        self.outcome = Outcome.FAILED
        self._house.say(f"{self.name}: NOT ready. {reason}")

    def _not_brought_about(self, reason: str) -> None:
        """What was wanted could not even be tried, or was not good enough; what was there before goes on."""
        if self._current is None:
            self._failed(reason)
            write_state(self._house.state_file(self.name), reason=reason)
            return
        self.outcome = Outcome.FAILED
        self._current.process.next = reason
        self._current.process.publish()
        self._house.say(f"{self.name}: the new version is NOT in use, the one before goes on. {reason}")


def _reaches(found: Report | None, running: Running) -> bool:
    """Whether the gateway sends the service's calls to this process; on a port there is only one."""
    return found is not None and (not running.socket or found["socket"] == running.socket)


def _refused(found: Report | None, running: Running) -> str:
    """Why the gateway sends this process no calls, "" where it does or has not decided yet: its proof may fail."""
    rows = (found, found["next"]) if found is not None else ()
    return next((str(each["reason"]) for each in rows if each and _is_refused(each, running)), "")


def _is_refused(each: Report, running: Running) -> bool:
    return bool(each["socket"] == running.socket and each["state"] == "not_ready")


def _ready_at(found: Report | None, running: Running) -> bool:
    return found is not None and found["state"] == "ready" and _reaches(found, running)
