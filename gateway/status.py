"""What /status tells: the gateway itself, its journal, and one row for each service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.core.circuit import BreakerState
from gateway.core.usage import UsageTable
from gateway.ports import Clock
from gateway.proof import Proof
from gateway.targets import Target, Targets
from gateway.usage import totals


class Policy(Protocol):
    """What is shown of the policy in force; `error` says why a newer one is not, else "".

    `failing` says why the engine cannot be asked, so that every call is denied; else "".
    """

    name: str

    @property
    def revision(self) -> str: ...

    @property
    def error(self) -> str | None: ...

    @property
    def failing(self) -> str: ...


class Numbers(Protocol):
    """Calls of one target; `p50` and `p99` are seconds, None before the first call."""

    @property
    def calls(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def p50(self) -> float | None: ...
    @property
    def p99(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Status:
    """Makes the report from the parts that know. `started` is monotonic seconds, `sandbox` what the configuration asks for.

    `plaintext` are the names of listeners beyond this machine on which calls cross the network in the clear.
    """

    version: str
    started: float
    clock: Clock
    policy: Policy
    targets: Targets
    coming: Callable[[str], Target | None]
    configuration: Callable[[], Mapping[str, Any]]
    breaker: Callable[[Target], BreakerState]
    numbers: Callable[[str], Numbers]
    journal: Callable[[], Mapping[str, Any]]
    usage: UsageTable
    proof: Callable[[], Proof | None]
    sandbox: str
    plaintext: tuple[str, ...]
    quotas: Callable[[], Mapping[str, str]]

    def report(self) -> dict[str, Any]:
        """A JSON object: `gateway`, `configuration`, `journal`, `quotas`, `usage` of each model, and `services` by name."""
        return {
            "gateway": {
                "version": self.version,
                "uptime": round(self.clock() - self.started, 3),
                "policy": {
                    "engine": self.policy.name,
                    "revision": self.policy.revision,
                    "error": self.policy.error or "",
                    "failing": self.policy.failing,
                },
                "proof": self._proof(self.proof()),
                "sandbox": self.sandbox,
                "plaintext": list(self.plaintext),
            },
            "configuration": dict(self.configuration()),
            "journal": dict(self.journal()),
            "quotas": dict(self.quotas()),
            "usage": totals(self.usage),
            "services": [self._service(target) for target in self.targets.all()],
        }

    def _service(self, target: Target) -> dict[str, Any]:
        said, numbers = target.description, self.numbers(target.name)
        return {
            "name": target.name,
            "kind": target.kind.value,
            "version": said.version if said else target.config.version,
            "framework": said.framework if said else "",
            "framework_version": said.framework_version if said else "",
            "core_version": said.core_version if said else "",
            "python": said.python if said else "",
            "state": target.state.value,
            "reason": target.reason,
            "breaker": self.breaker(target).name,
            "calls": numbers.calls,
            "errors": numbers.errors,
            "p50_ms": _milliseconds(numbers.p50),
            "p99_ms": _milliseconds(numbers.p99),
            "address": target.address,
            "socket": target.socket,
            "next": _next(self.coming(target.name)),
            "proof": self._proof(target.proof),
        }

    def _proof(self, proof: Proof | None) -> dict[str, Any] | None:
        return None if proof is None else proof.report(self.clock())


def _next(coming: Target | None) -> dict[str, str] | None:
    """What is followed already, and takes over when it is ready; `reason` says why it is not yet."""
    if coming is None:
        return None
    state, reason = coming.state.value, coming.reason
    return {"state": state, "reason": reason, "address": coming.address, "socket": coming.socket}


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
