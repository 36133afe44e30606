"""The policy port: what an engine answers, and the evidence that Forward takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class DenyReason:
    """One reason of a denial: the `rule` that gave it, a message for people, the `field` at fault where there is one."""

    rule: str
    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Obligations:
    """Conditions of an allowed call; None where policy sets none. `timeout` is in seconds, sizes are bytes."""

    timeout: float | None = None
    response_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy decided about one call. `rules` name what allowed or denied it."""

    id: str
    allow: bool
    reasons: tuple[DenyReason, ...]
    obligations: Obligations
    revision: str
    engine: str


@dataclass(frozen=True, slots=True)
class Permit:
    """Evidence that policy allowed the call. Only Authorize makes one, from an allowing decision; Forward takes one."""

    decision: Decision

    def __post_init__(self) -> None:
        if not self.decision.allow:
            raise ValueError("a permit needs an allowing decision")


class PolicyError(Exception):
    """The engine gave no usable answer (down, slow, undefined, malformed): the call is denied.

    The text is for the log; the caller learns only POLICY_UNAVAILABLE.
    """


class PolicyEngine(Protocol):
    """Decides. One adapter for each engine."""

    name: str

    @property
    def revision(self) -> str:
        """SHA-256 of the policy and data in force, hexadecimal; "" before any was loaded."""
        ...

    async def decide(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Evaluates the entry point on the input `document`, shaped as policies/schemas/input.json says.

        Returns the raw decision object with the keys allow, reasons and obligations. Raises PolicyError.
        """
        ...
