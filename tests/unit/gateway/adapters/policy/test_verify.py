"""What a bundle must show before it may decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.policy.bundle import ENTRY_POINT, read_bundle
from gateway.adapters.policy.problems import Unreachable
from gateway.adapters.policy.verify import checked, verify
from gateway.policy import PolicyError
from tests.unit.gateway.adapters.policy.folders import small

DENY = {"allow": False, "reasons": [], "obligations": {}}


class Engine:
    """Answers from a table; an exception in it is raised."""

    def __init__(self, decision: object = DENY, test: object = True) -> None:
        self.answers = {ENTRY_POINT: decision, "data.firebreak.main_test.test_friends": test}

    async def __call__(self, rule: str, document: Mapping[str, Any]) -> object:
        answer = self.answers[rule]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def found(root: Path, engine: Engine) -> list[str]:
    return [str(problem) for problem in await verify(read_bundle(small(root)), engine)]


async def test_a_sound_bundle(tmp_path: Path):
    assert await found(tmp_path, Engine()) == []


@pytest.mark.parametrize("answer", [False, None, 1, "true", PolicyError("x.rego:1: boom")])
async def test_a_test_that_is_not_true(tmp_path: Path, answer: object):
    (problem,) = await found(tmp_path, Engine(test=answer))
    assert problem.startswith("firebreak/main/decision_test.rego:6: test test_friends fails: ")


@pytest.mark.parametrize(
    "answer", [None, 3, [], {"allow": False}, {**DENY, "allow": "no"}, {**DENY, "more": 1}, PolicyError("boom")]
)
async def test_no_sound_decision(tmp_path: Path, answer: object):
    assert len(await found(tmp_path, Engine(decision=answer))) == 2


async def test_whoever_allows_nobody_allows_everybody(tmp_path: Path):
    problems = await found(tmp_path, Engine(decision={**DENY, "allow": True}))
    assert problems == [f"{ENTRY_POINT} allows an empty input", f"{ENTRY_POINT} allows a caller without any grant"]


async def test_an_engine_that_is_gone_is_not_the_bundles_fault(tmp_path: Path):
    with pytest.raises(Unreachable):
        await found(tmp_path, Engine(test=Unreachable("gone")))
    with pytest.raises(Unreachable):
        await found(tmp_path, Engine(decision=Unreachable("gone")))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        "deny",
        [],
        {},
        {"allow": True},
        {**DENY, "allow": 1},
        {**DENY, "reasons": {}},
        {**DENY, "obligations": []},
    ],
)
def test_answers_that_are_no_decision(answer: object):
    with pytest.raises(PolicyError):
        checked(answer)
