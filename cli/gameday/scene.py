"""What a fault acts on."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.gameday.calls import Caller, Running
from cli.gameday.fault import Answer
from cli.gameday.instance import NotInTime, PrivateInstance
from cli.gameday.processes import Watch, workers
from cli.gameday.record import Journal

HEALTHY = 10.0
"""Seconds for which `healthy` tries."""
RECORDED = 5.0
PAUSE, GLANCE = 0.02, 0.05


@dataclass(frozen=True)
class Mark:
    """A moment of the row's timeline."""

    at: float
    label: str


@dataclass
class Scene:
    """One instance with a fault in it. `short` asks for the short form; `random` is seeded, so that a day can be repeated.

    Every call made through it, or through a caller that it made, must be on record exactly once; the row is judged by that.
    """

    instance: PrivateInstance
    short: bool
    random: random.Random
    started: float = field(default_factory=time.monotonic)
    marks: list[Mark] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    _usual: Caller | None = None

    def caller(self, token_file: Path | None = None, *options: tuple[str, Any], credentials: bool = True) -> Caller:
        """A connection of its own as the developer, as whose token is in `token_file`, or without `credentials`."""
        token = (token_file or self.instance.token) if credentials else None
        made = Caller(f"127.0.0.1:{self.instance.ports['public']}", token, *options)
        self.callers.append(made)
        return made

    @property
    def usual(self) -> Caller:
        """The connection that `call` and `begin` use."""
        self._usual = self._usual or self.caller()
        return self._usual

    @property
    def answers(self) -> list[Answer]:
        """Of every call that has ended, in the order in which they ended on each connection."""
        return [answer for caller in self.callers for answer in caller.answers]

    async def call(
        self,
        target: str,
        args: Mapping[str, Any] | str | bytes,
        **how: Any,
    ) -> Answer:
        """Calls a tool and waits for its end, whatever that is; nothing is raised for a failed call.

        `wanted` is what must come out: "OK", "TOOL_ERROR", "CODE", "CODE REASON", or a tuple of these. `timeout` is the
        caller's deadline in seconds, None for none. The answer must be there at most `by` (0.25) seconds after it, or after
        `due` seconds from sending where something else than the caller's deadline ends the call. `streamed` uses Stream, `key`
        is an idempotency key. `arrived=False` for a call that need not have reached the gateway.
        """
        return await self.usual.call(target, args, **how)

    def begin(self, target: str, args: Mapping[str, Any] | str | bytes, **how: Any) -> Running:
        """As `call`, without waiting: the call under way has `cancel()`, `progress()` and `answer()`."""
        return self.usual.begin(target, args, **how)

    def mark(self, label: str) -> float:
        """Notes a moment on the timeline; answers the monotonic instant."""
        self.marks.append(Mark(time.monotonic(), label))
        return self.marks[-1].at

    def watch(self, service: str) -> Watch:
        """Tells when the service's present workers end, to a fraction of a millisecond. Close it."""
        return Watch(self.workers(service))

    def workers(self, service: str) -> set[int]:
        """Process ids of the service's workers, as they are outside of any sandbox."""
        return workers(self.instance.pid(service))

    async def until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """Waits for `condition` to be true, and returns what it returned. It may block a little: it runs in a thread.

        Raises NotInTime.
        """
        end = time.monotonic() + seconds
        while not (result := await asyncio.to_thread(condition)):
            if time.monotonic() > end:
                raise NotInTime(f"not within {seconds:g} s: {what}")
            await asyncio.sleep(GLANCE)
        return result

    async def healthy(
        self, target: str, args: Mapping[str, Any], seconds: float = HEALTHY, since: float | None = None
    ) -> float | None:
        """Calls until one call succeeds; answers the seconds from `since` (now) to that answer, None if none does in time.

        Calls on the way there may fail in any way, but they are on record like every other.
        """
        began = time.monotonic() if since is None else since
        end = time.monotonic() + seconds
        anyhow = ("OK", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "INTERNAL")
        while time.monotonic() < end:
            answer = await self.call(target, args, timeout=2.0, wanted=anyhow, arrived=False)
            if answer.code == "OK":
                return answer.at - began
            await asyncio.sleep(PAUSE)
        return None

    async def on_record(self, answer: Answer) -> dict[str, Any]:
        """The facts of the journal's row of this call, as docs/journal.md names them. Raises NotInTime."""
        journal = Journal(self.instance)
        facts: dict[str, Any] = await self.until(
            lambda: journal.read().facts.get(answer.trace), RECORDED, f"a record of {answer.words}"
        )
        return facts

    def promised(self, service: str, promise: str) -> bool:
        """Whether the launcher claims that a promise of the sandbox holds for this service."""
        return promise in self.instance.run_file(service).get("sandbox", {}).get("promises", ())

    async def close(self) -> None:
        for caller in self.callers:
            await caller.close()
