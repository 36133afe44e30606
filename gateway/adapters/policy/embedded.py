"""The engine inside the gateway's own process: no extra program, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.adapters.policy.built_ins import untested_calls
from gateway.adapters.policy.bundle import ENTRY_POINT, Bundle
from gateway.adapters.policy.interpreter import Interpreter
from gateway.adapters.policy.problems import BundleError
from gateway.adapters.policy.trial import Trial, try_here


class EmbeddedEngine:
    """Makes one interpreter for each bundle.

    An interpreter belongs to the thread that made it and cannot be interrupted, so a decision holds up the event loop for as
    long as it takes: about a tenth of a millisecond.
    """

    name = "embedded"

    def __init__(self, beside: Trial = try_here) -> None:
        """`beside` tries a bundle while one before it decides; the first is tried here, because nobody is waiting yet."""
        self._beside = beside
        self._trial: Trial = try_here

    async def load(self, bundle: Bundle) -> EmbeddedPolicy:
        """Compiles and verifies a bundle; raises BundleError."""
        problems = untested_calls(bundle) or await self._trial(bundle)
        if problems:
            raise BundleError(problems)
        interpreter = Interpreter()
        await interpreter.load(bundle.modules, bundle.data)
        self._trial = self._beside
        return EmbeddedPolicy(bundle, interpreter)

    async def sweep(self, keep: Sequence[str]) -> None:
        """Nothing is kept beside what is loaded."""

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class EmbeddedPolicy:
    """A verified bundle in an interpreter of its own."""

    bundle: Bundle
    interpreter: Interpreter

    async def decide(self, document: Mapping[str, Any]) -> object:
        """The entry point's answer; raises PolicyError."""
        return self.interpreter.evaluate(ENTRY_POINT, document)

    async def alive(self) -> bool:
        """Always: it lives in this process."""
        return True

    def release(self) -> None:
        """Ends the interpreter."""
        self.interpreter.end()
