"""Asks the policy engine within its time, and remembers what it decided lately for whoever asks why."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway import verdict
from gateway.call import Call, View
from gateway.errors import CallError, Reason
from gateway.policy import Decision, PolicyEngine, PolicyError
from gateway.routes import Action
from gateway.targets import Target
from gateway.time_limit import within

_log = logging.getLogger(__name__)
_NAMES, _NAME_LENGTH = 32, 64


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision and what policy saw for it: `document` is the input with argument names in place of the arguments."""

    decision: Decision
    document: Mapping[str, Any]
    chain: tuple[str, ...]


class DecisionLog:
    """The last `limit` decisions by id. What it keeps of each is bounded, whatever callers send."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._decisions: OrderedDict[str, Explained] = OrderedDict()

    def __len__(self) -> int:
        return len(self._decisions)

    def get(self, decision_id: str) -> Explained | None:
        return self._decisions.get(decision_id)

    def add(self, decision: Decision, document: Mapping[str, Any], chain: tuple[str, ...]) -> None:
        self._decisions[decision.id] = Explained(decision, _without_values(document), chain)
        if len(self._decisions) > self._limit:
            self._decisions.popitem(last=False)


class Judge:
    """Turns a call and a target into a decision. Nothing but an engine's complete and timely answer allows anything."""

    def __init__(self, engine: PolicyEngine, timeout: float, new_id: Callable[[], str]) -> None:
        self._engine = engine
        self._timeout = timeout
        self._new_id = new_id
        self.log = DecisionLog()

    async def decide(self, call: Call, target: Target, action: Action, view: View | None = None) -> Decision:
        """The decision on `call` wanting `action` of `target`; it is logged for Explain.

        Raises CallError POLICY_UNAVAILABLE when the engine is down, late, or answers anything but a decision.
        """
        asked = call.facts.document = verdict.document(call, target, action, view)
        decision = await self._ask(asked, call, target)
        assert call.session is not None
        self.log.add(decision, asked, call.session.chain)
        return decision

    async def allows(self, call: Call, target: Target, action: Action) -> bool:
        """Whether the caller of `call` may do `action` to `target`, arguments aside. Raises as `decide` does.

        Not logged: one question about every target would push the decisions on real calls out of the log.
        """
        return (await self._ask(verdict.document(call, target, action, None), call, target)).allow

    async def _ask(self, asked: Mapping[str, Any], call: Call, target: Target) -> Decision:
        try:
            with within(self._timeout):
                raw = await self._engine.decide(asked)
            return verdict.read(raw, self._new_id(), self._engine.revision, self._engine.name)
        except TimeoutError:
            raise self._unavailable(call, target, "no answer in time") from None
        except PolicyError as error:
            raise self._unavailable(call, target, str(error)) from None

    def _unavailable(self, call: Call, target: Target, why: str) -> CallError:
        _log.warning("policy did not decide: %s", why, extra={"call_id": call.id, "engine": self._engine.name})
        return CallError(
            Reason.POLICY_UNAVAILABLE,
            "Policy could not decide, so the call was refused. Try again; if it goes on, tell the platform team.",
            metadata={"target": target.name, "engine": self._engine.name},
        )


def _without_values(document: Mapping[str, Any]) -> dict[str, Any]:
    args, prompt = document["args"], document["prompt"]
    return {
        **document,
        "args": None if args is None else _short(args),
        "prompt": None if prompt is None else {**prompt, "tools": _short(prompt["tools"])},
    }


def _short(names: Any) -> list[str]:
    return [name[:_NAME_LENGTH] for name in islice(names, _NAMES)]
