"""The gateway's own promises: it is not ready before they are proven, nor when one is broken."""

from __future__ import annotations

import asyncio

from gateway.proof import Promise, Promises, Verdict
from gateway.proving.gateway import GatewayProver
from tests.proofs import promise
from tests.virtual_time import clock, virtual_time

HELD = promise("credentials:none", Verdict.HELD, "")
BROKEN = promise("credentials:none", Verdict.BROKEN, "they are taken for user:eve")


class Found:
    def __init__(self, found: Promises | Exception = (HELD,)) -> None:
        self.found = found
        self.times: list[float] = []

    async def __call__(self) -> Promises:
        self.times.append(clock())
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def prover(found: Found, counted: list[Promise] | None = None) -> GatewayProver:
    kept = [] if counted is None else counted
    return GatewayProver(found, 60.0, lambda: 0.5, clock, lambda _name, each: kept.append(each))


@virtual_time
async def test_it_is_not_ready_before_it_is_proven() -> None:
    found, counted = Found(), []  # type: ignore[var-annotated]
    made = prover(found, counted)
    assert "it is being proven" in made.missing()["proof"]
    running = asyncio.ensure_future(made.run())
    await asyncio.sleep(0.1)
    assert made.missing() == {}
    assert counted == [HELD]
    await asyncio.sleep(100.0)
    assert [at - found.times[0] for at in found.times] == [0.0, 60.0]
    running.cancel()


@virtual_time
async def test_a_broken_promise_is_told_and_looked_at_again_soon() -> None:
    found = Found((BROKEN,))
    made = prover(found)
    running = asyncio.ensure_future(made.run())
    await asyncio.sleep(0.1)
    assert made.missing() == {"proof": "credentials:none: they are taken for user:eve"}
    found.found = (HELD,)
    await asyncio.sleep(6.0)
    assert made.missing() == {}
    running.cancel()


@virtual_time
async def test_a_bug_proves_nothing_and_is_tried_again() -> None:
    found = Found(ValueError("a bug"))
    made = prover(found)
    running = asyncio.ensure_future(made.run())
    await asyncio.sleep(0.1)
    assert made.missing() != {}
    found.found = (HELD,)
    await asyncio.sleep(6.0)
    assert made.missing() == {}
    running.cancel()
