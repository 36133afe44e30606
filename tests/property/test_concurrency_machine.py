"""Any order of coming, leaving and giving up keeps the places and the queue within their limits, in order.

What the short queue of a crowded limit is good for is shown by discrete events: calls that come and take their time.
"""

from __future__ import annotations

import heapq

from hypothesis import given, settings
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
        short = self.places.crowded
        queued = self.places.wait(self.next)
        assert queued is (len(self.waiting) < (min(self.queue, -(-self.limit // 2)) if short else self.queue))
        if queued:
            self.waiting.append(self.next)
        else:
            gone = self.places.surplus()
            assert gone == self.waiting[: len(gone)], "who has waited longest goes first"
            self.waiting = self.waiting[len(gone) :]
        assert self.places.surplus() == [], "nobody goes for nothing"
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


class Line:
    """Calls that come at given instants and hold a place for `takes` seconds each; the limit is asked as Bulkhead asks it."""

    def __init__(self, limit: int, queue: int, takes: float) -> None:
        self.places = ConcurrencyLimit[float](limit, queue)
        self.takes = takes
        self.ends: list[float] = []
        self.waits: list[float] = []
        self.refused = 0

    def come(self, now: float) -> None:
        self.until(now)
        if self.places.enter():
            self._run(now, now)
        elif not self.places.wait(now):
            self.refused += 1 + len(self.places.surplus())

    def until(self, now: float) -> None:
        while self.ends and self.ends[0] <= now:
            at = heapq.heappop(self.ends)
            came = self.places.leave()
            if came is not None:
                self._run(came, at)

    def _run(self, came: float, at: float) -> None:
        self.waits.append(at - came)
        heapq.heappush(self.ends, at + self.takes)


@given(limit=st.integers(1, 16), rounds=st.integers(1, 8), times=st.floats(1.5, 20.0))
def test_overload_keeps_every_place_busy_and_soon_nobody_waits_for_longer_than_a_call_takes(
    limit: int, rounds: int, times: float
) -> None:
    line, each = Line(limit, limit * rounds, takes=1.0), 1.0 / (limit * times)
    seconds = 20 + 2 * rounds
    for number in range(int(seconds / each)):
        line.come(number * each)
    line.until(seconds)
    assert len(line.waits) >= limit * (seconds - 1)
    late = [wait for wait in line.waits[-limit * 10 :] if wait > 1.0 + each]
    assert not late


@given(limit=st.integers(1, 16), queue=st.integers(0, 64), bursts=st.integers(1, 5))
def test_bursts_that_fit_are_served_whole(limit: int, queue: int, bursts: int) -> None:
    line, drained = Line(limit, queue, takes=1.0), 2.0 + queue / limit
    for burst in range(bursts):
        for _ in range(limit + queue):
            line.come(burst * drained)
    line.until(bursts * drained)
    assert (line.refused, len(line.waits)) == (0, bursts * (limit + queue))


@given(limit=st.integers(1, 16), queue=st.integers(1, 64), data=st.data())
def test_callers_who_wait_for_their_answers_and_fit_in_are_never_refused(
    limit: int, queue: int, data: st.DataObject
) -> None:
    """However long the queue stands."""
    line, callers = Line(limit, queue, takes=1.0), data.draw(st.integers(1, limit + queue))
    for _ in range(callers):
        line.come(0.0)
    for second in range(1, 50):
        answered = len(line.ends)
        line.until(second)
        for _ in range(answered):
            line.come(second)
    assert line.refused == 0
    assert not line.places.crowded
