"""When a service is proven: at its start, again and again, with pauses that grow while something is wrong, two at a time."""

from __future__ import annotations

import asyncio

from gateway.adapters.registry.proving import Pace, Proving
from gateway.proof import Promise, Verdict
from gateway.targets import State, Target
from tests.calls import make_target
from tests.proofs import FakeProver, pace, promise
from tests.virtual_time import clock, virtual_time

BROKEN = promise("deny:long", Verdict.BROKEN)
UNKNOWN = promise("allow:adds", Verdict.UNKNOWN)


class Followed:
    """A target with what is told of it."""

    def __init__(self, prover: FakeProver, at: Pace, name: str = "calculator") -> None:
        self.target: Target = make_target(name)
        self.told: list[tuple[float, State, str]] = []
        self.proving = Proving(self.target, prover, at, asyncio.create_task, self._tell)

    def _tell(self, state: State, reason: str) -> None:
        self.target.state, self.target.reason = state, reason
        self.told.append((clock(), state, reason))


@virtual_time
async def test_it_is_proven_again_after_a_while() -> None:
    counted: list[tuple[str, Promise]] = []
    prover = FakeProver()
    followed = Followed(prover, pace(every=60.0, count=lambda name, each: counted.append((name, each))))
    began = clock()
    followed.proving.begin()
    await asyncio.sleep(100.0)
    assert [(at - began, state) for at, state, _ in followed.told] == [(0.0, State.READY), (60.0, State.READY)]
    assert prover.parts() == ["denied", "answered", "enclosed"] * 2
    assert counted == [("calculator", prover.denies[0])] * 2
    followed.proving.end()


def test_random_spreads_proofs() -> None:
    early, late = (Pace(60.0, 0.25, lambda number=number: number, clock) for number in (0.0, 1.0))
    assert (early.pause(0), late.pause(0)) == (45.0, 75.0)


def test_pauses_grow_while_something_is_wrong_and_stay_short() -> None:
    assert [pace(retry=0.25).pause(failures) for failures in (1, 2, 3, 9, 999)] == [0.25, 0.5, 1.0, 5.0, 5.0]
    assert pace(every=2.0, retry=0.25).pause(99) == 2.0


@virtual_time
async def test_a_busy_service_that_is_ready_stays_ready() -> None:
    prover = FakeProver()
    followed = Followed(prover, pace(every=10.0))
    followed.proving.begin()
    await asyncio.sleep(1.0)
    prover.answers = (UNKNOWN,)
    await asyncio.sleep(15.0)
    assert followed.target.state is State.READY
    assert followed.target.proof is not None
    assert followed.target.proof.unknown == (UNKNOWN,)
    followed.proving.end()


@virtual_time
async def test_what_was_broken_is_not_mended_by_what_is_not_known() -> None:
    prover = FakeProver(denies=(BROKEN,))
    followed = Followed(prover, pace(every=10.0))
    followed.proving.begin()
    await asyncio.sleep(1.0)
    assert followed.target.state is State.NOT_READY
    prover.denies = (promise("deny:long", Verdict.UNKNOWN),)
    await asyncio.sleep(20.0)
    assert followed.target.state is State.NOT_READY
    prover.denies = ()
    await asyncio.sleep(20.0)
    assert followed.target.state is State.READY
    followed.proving.end()


@virtual_time
async def test_two_are_proven_at_a_time() -> None:
    prover, at = FakeProver(hold=asyncio.Event()), pace()
    followed = [Followed(prover, at, name) for name in ("a", "b", "c", "d")]
    for each in followed:
        each.proving.begin()
    await asyncio.sleep(0.5)
    assert prover.waiting == 2
    assert prover.hold is not None
    prover.hold.set()
    await asyncio.sleep(0.1)
    assert {each.target.state for each in followed} == {State.READY}
    assert prover.most == 2
    for each in followed:
        each.proving.end()


@virtual_time
async def test_one_that_hangs_does_not_keep_the_others_waiting() -> None:
    hanging, sound, at = FakeProver(hold=asyncio.Event()), FakeProver(), pace()
    stuck = [Followed(hanging, at, name) for name in ("a", "b")]
    other = Followed(sound, at, "c")
    for each in (*stuck, other):
        each.proving.begin()
    await asyncio.sleep(0.9)
    assert other.target.state is State.STARTING
    await asyncio.sleep(0.2)
    assert other.target.state is State.READY
    for each in (*stuck, other):
        each.proving.end()
    await asyncio.sleep(0)
    assert hanging.waiting == 0
    again = [Followed(FakeProver(hold=asyncio.Event()), at, name) for name in ("d", "e", "f")]
    for each in again:
        each.proving.begin()
    await asyncio.sleep(0.5)
    assert sum(each.proving._prover.waiting for each in again) == 2, "as many places as before"  # type: ignore[attr-defined]
    for each in again:
        each.proving.end()


@virtual_time
async def test_a_policy_that_changes_in_the_middle_of_a_proof_begins_it_anew() -> None:
    prover = FakeProver(hold=asyncio.Event())
    followed = Followed(prover, pace())
    followed.proving.begin()
    await asyncio.sleep(0.1)
    prover.denies = (BROKEN,)
    followed.proving.again()
    await asyncio.sleep(0.1)
    assert followed.target.state is State.NOT_READY
    assert prover.waiting == 1
    followed.proving.end()
    await asyncio.sleep(0)
    assert prover.waiting == 0


@virtual_time
async def test_nothing_is_proven_of_what_is_down() -> None:
    prover = FakeProver()
    followed = Followed(prover, pace())
    followed.proving.again()
    followed.proving.end()
    await asyncio.sleep(1.0)
    assert prover.asked == []


@virtual_time
async def test_a_bug_in_proving_is_no_proof() -> None:
    class Failing(FakeProver):
        async def answered(self, target: Target) -> tuple[Promise, ...]:
            if len(self.asked) < 3:
                raise ValueError("a bug")
            return await super().answered(target)

    followed = Followed(Failing(), pace())
    followed.proving.begin()
    await asyncio.sleep(0)
    assert followed.target.state is State.STARTING
    await asyncio.sleep(1.0)
    assert followed.target.state is State.READY
    followed.proving.end()
