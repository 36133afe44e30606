"""A fault: how it is caused, what its caller must see, and what was seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cli.gameday.instance import PrivateInstance
    from cli.gameday.scene import Scene

GRACE = 0.25
"""Seconds after a call's deadline by which its caller must have the answer."""
RECOVERY = 5.0
"""Seconds within which a service must be healthy again by itself, unless a fault says otherwise."""


@dataclass(frozen=True)
class Answer:
    """How one call of a fault ended, as its caller saw it.

    `code` is the gRPC status code's name ("OK" too; "TOOL_ERROR" and "INVALID_ARGS" for a tool's own failure), `reason` that of
    docs/errors.md, "" for none. `after` is seconds from the call's deadline, or from the fault where there is none; negative
    before it. `took` is seconds from sending to answer. `call_id` is "" where the caller got none; `trace` names the call in
    the journal even then. `wanted` are what the fault expects, each "CODE" or "CODE REASON"; `by` is the largest `after` that
    is in time. `arrived`: the gateway must have the call on record; False for one that may never have reached it.
    """

    code: str
    reason: str = ""
    after: float = 0.0
    call_id: str = ""
    trace: str = ""
    took: float = 0.0
    at: float = 0.0
    """Monotonic seconds at which the answer was there."""
    text: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    """Fields of the request that a BadRequest names."""
    retry_after: float | None = None
    wanted: tuple[str, ...] = ("OK",)
    by: float = GRACE
    arrived: bool = True

    @property
    def words(self) -> str:
        return f"{self.code} {self.reason}".strip()

    @property
    def right(self) -> bool:
        return any(wanted in (self.code, self.words) for wanted in self.wanted)

    @property
    def late(self) -> bool:
        return self.after > self.by


@dataclass(frozen=True)
class Seen:
    """What one causing of a fault showed.

    `answers` are those of the fault's own calls, `recovered` the seconds until the service answered again by itself, None if it
    did not; 0.0 where nothing had to recover. `notes` are for people; `problems` each make the row leaked. `figures` are
    measured numbers by name, with their unit in it ("kill_after_deadline_ms"); the row has the median over its rounds.
    """

    answers: tuple[Answer, ...] = ()
    recovered: float | None = 0.0
    notes: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class NotRun(Exception):
    """The fault cannot be caused on this machine; the text says what is missing. The row's verdict is "not run"."""


@dataclass(frozen=True)
class Setting:
    """The instance that a fault needs.

    `services` are folders of cli/gameday/services, by name, or of the shipped services; the calculator, which the neighbours
    call, is always there. `own`: an instance of its own, because the fault harms the gateway or needs `changes` (parts of
    firebreak.yaml, replaced). `prepare` may edit its files (policies, grants, service folders) before it starts. Faults without
    `own` share one instance that has the services of all of them. `envs` names environments by service; a day's own service
    runs in the calculator's.
    """

    services: tuple[str, ...] = ()
    own: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    envs: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[PrivateInstance], None] | None = None


@dataclass(frozen=True)
class Fault:
    """One row of the list. `act` causes the fault once and is repeated, in rounds, while neighbours are under load.

    `needs` are programs without which it cannot be caused. `isolated`: neighbours must not notice it, neither by a failed call
    nor by latency; False where they are meant to (an overloaded or stopped gateway): then `act` itself judges what they may
    see. `gateway_stays`: the gateway's process must be the same after it. `recovery` is the longest that its service may take
    to be healthy again, `limit` seconds for one `act`. `at_most` bounds figures by name, each in its median over all `act`s.
    """

    number: int
    name: str
    expected: str
    act: Callable[[Scene], Awaitable[Seen]]
    setting: Setting = Setting()
    needs: tuple[str, ...] = ()
    isolated: bool = True
    gateway_stays: bool = True
    recovery: float = RECOVERY
    limit: float = 60.0
    at_most: Mapping[str, float] = field(default_factory=dict)

    def beyond(self, seen: Sequence[Seen]) -> list[str]:
        """The figures that are beyond their bound, in words."""
        found = medians(seen)
        return [
            f"{name} is {found[name]:.1f} in the median, not {most:g} at most"
            for name, most in self.at_most.items()
            if found.get(name, 0.0) > most
        ]


def medians(seen: Sequence[Seen]) -> dict[str, float]:
    """Each figure's median over those who measured it."""
    names = dict.fromkeys(name for one in seen for name in one.figures)
    return {name: median(one.figures[name] for one in seen if name in one.figures) for name in names}
