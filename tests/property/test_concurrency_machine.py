"""Any order of coming, leaving and giving up keeps the places and the queue within their limits, in order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.core.concurrency import ConcurrencyLimit


class ConcurrencyMachine(RuleBasedStateMachine):
    @initialize(limit=st.integers(1, 4), queue=st.integers(0, 4))
    def start(self, limit: int, queue: int) -> None:
        self.limit, self.queue = limit, queue
        self.places = ConcurrencyLimit[int](limit, queue)
        self.running = 0
        self.waiting: list[int] = []
        self.next = 0

    @rule()
    def one_comes(self) -> None:
        entered = self.places.enter()
        assert entered is (self.running < self.limit)
        if entered:
            self.running += 1
            return
        queued = self.places.wait(self.next)
        assert queued is (len(self.waiting) < self.queue)
        if queued:
            self.waiting.append(self.next)
        self.next += 1

    @precondition(lambda self: self.running)
    @rule()
    def one_leaves(self) -> None:
        woken = self.places.leave()
        assert woken == (self.waiting.pop(0) if self.waiting else None)
        self.running -= woken is None

    @rule(who=st.integers(0, 30))
    def one_gives_up(self, who: int) -> None:
        self.places.give_up(who)
        if who in self.waiting:
            self.waiting.remove(who)

    @invariant()
    def agrees_with_the_model(self) -> None:
        seen = self.places.snapshot()
        assert (seen.running, seen.waiting) == (self.running, len(self.waiting))
        assert seen.running <= self.limit
        assert seen.waiting == 0 or seen.running == self.limit


ConcurrencyMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestConcurrency = ConcurrencyMachine.TestCase
