"""What a bundle must show on the engine that is to run it, before it may decide: its own tests, and a denial by default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.adapters.policy.bundle import ENTRY_POINT, Bundle
from gateway.adapters.policy.problems import Problem, Unreachable
from gateway.policy import PolicyError

Evaluate = Callable[[str, Mapping[str, Any]], Awaitable[object]]
"""Evaluates a rule such as "data.firebreak.main.decision" on an input; None where it is undefined. Raises PolicyError."""

NOBODY: Mapping[str, Any] = {
    "call": {"id": "", "method": "", "action": "call", "depth": 0, "parent": None},
    "principal": {"id": "nobody", "issuer": "", "service": None, "claims": {}},
    "session": {"id": "", "chain": ["nobody"]},
    "target": {"name": "nothing", "kind": "tool", "effect": "MUTATING"},
    "args": {},
    "prompt": None,
}
"""A call that no policy should allow."""

_KEYS = {"allow", "reasons", "obligations"}


def checked(answer: object) -> Mapping[str, Any]:
    """The answer of the entry point if it has the shape of a decision; raises PolicyError."""
    if answer is None:
        raise PolicyError(f"{ENTRY_POINT} is undefined")
    if not isinstance(answer, Mapping) or set(answer) != _KEYS:
        raise PolicyError(f"{ENTRY_POINT} is no object with exactly the keys allow, reasons and obligations")
    if not isinstance(answer["allow"], bool):
        raise PolicyError(f"{ENTRY_POINT}.allow is neither true nor false")
    if not isinstance(answer["reasons"], list) or not isinstance(answer["obligations"], Mapping):
        raise PolicyError(f"{ENTRY_POINT}: reasons is no list or obligations is no object")
    return answer


async def verify(bundle: Bundle, evaluate: Evaluate) -> list[Problem]:
    """Runs the bundle's tests and asks for a decision about nobody and about nothing; what fails, by file and line."""
    problems = [
        Problem(module.file, test.line, f"test {test.name} {failure}")
        for module in bundle.tests
        for test in module.tests
        if (failure := await _failure(evaluate, f"data.{module.package}.{test.name}"))
    ]
    for document in ({}, NOBODY):
        problems += await _denies(evaluate, document)
    return problems


async def _failure(evaluate: Evaluate, test: str) -> str:
    try:
        answer = await evaluate(test, {})
    except Unreachable:
        raise
    except PolicyError as error:
        return f"fails: {error}"
    return "" if answer is True else "fails: it is not true"


async def _denies(evaluate: Evaluate, document: Mapping[str, Any]) -> list[Problem]:
    try:
        allowed = checked(await evaluate(ENTRY_POINT, document))["allow"]
    except Unreachable:
        raise
    except PolicyError as error:
        return [Problem("", 0, str(error))]
    who = "a caller without any grant" if document else "an empty input"
    return [Problem("", 0, f"{ENTRY_POINT} allows {who}")] if allowed else []
