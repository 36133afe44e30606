"""Only a complete and timely answer allows; what was decided can be explained, without argument values."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from gateway.call import View
from gateway.errors import CallError, Reason
from gateway.judge import DecisionLog, Judge
from gateway.policy import PolicyError
from gateway.routes import Action
from tests.unit.gateway.chain_fakes import (
    ALLOW,
    START,
    FakeEngine,
    authenticated,
    call,
    clock,
    decision,
    run,
    target,
)

CALL = authenticated(call())


def judge(answer: Any = ALLOW) -> Judge:
    numbers = count(1)
    return Judge(FakeEngine(answer), 0.25, lambda: f"d{next(numbers)}")


def test_a_decision_is_logged_without_argument_values() -> None:
    async def main() -> None:
        asked = judge()
        view = View("calculator", args={"expression": "SECRET", "x" * 100: "SECRET"})
        made = await asked.decide(CALL, target(), Action.CALL, view)
        assert made.allow
        explained = asked.log.get("d1")
        assert explained is not None
        assert explained.decision is made
        assert explained.chain == ("user:developer",)
        assert explained.document["args"] == ["expression", "x" * 64]
        assert "SECRET" not in str(explained.document)

    run(main)


@pytest.mark.parametrize(
    "answer", [PolicyError("down: SECRET"), {"allow": True}, {}, {**ALLOW, "obligations": {"unknown": 1}}]
)
def test_an_engine_without_a_usable_answer_denies(answer: Any) -> None:
    async def main() -> None:
        asked = judge(answer)
        with pytest.raises(CallError) as caught:
            await asked.decide(CALL, target(), Action.CALL)
        assert caught.value.reason is Reason.POLICY_UNAVAILABLE
        assert caught.value.metadata == {"target": "calculator", "engine": "fake"}
        assert "SECRET" not in caught.value.message
        assert len(asked.log) == 0

    run(main)


def test_a_slow_engine_denies_when_its_time_is_over() -> None:
    async def main() -> None:
        with pytest.raises(CallError) as caught:
            await judge(None).decide(CALL, target(), Action.CALL)
        assert caught.value.reason is Reason.POLICY_UNAVAILABLE
        assert clock() == pytest.approx(START + 0.25, abs=0.01)

    run(main)


def test_allows_answers_for_the_catalogue() -> None:
    async def main() -> None:
        asked = judge()
        assert await asked.allows(CALL, target(), Action.DESCRIBE)
        assert len(asked.log) == 0
        assert not await judge({**ALLOW, "allow": False}).allows(CALL, target(), Action.DESCRIBE)

    run(main)


def test_the_log_keeps_the_last_decisions_only() -> None:
    log = DecisionLog(limit=2)
    for name in ("a", "b", "c"):
        log.add(replace(decision(), id=name), {"args": None, "prompt": None}, ())
    assert len(log) == 2
    assert log.get("a") is None
    assert log.get("c") is not None


def test_the_log_keeps_a_bounded_part_of_a_prompt() -> None:
    log = DecisionLog()
    log.add(decision(), {"args": None, "prompt": {"messages": 1, "tools": ["t" * 500] * 500}}, ())
    explained = log.get(decision().id)
    assert explained is not None
    assert explained.document["prompt"] == {"messages": 1, "tools": ["t" * 64] * 32}
