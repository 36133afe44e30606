"""Token buckets, retry budgets and backoff hand out no more than they may, and no less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.backoff import full_jitter
from gateway.core.retry_budget import RetryBudget
from gateway.core.token_bucket import TokenBucket, TokenBuckets

RATES = st.floats(0.01, 1e4)
PAUSES = st.lists(st.one_of(st.just(0.0), st.floats(0.0, 0.01), st.floats(0.0, 100.0)), max_size=150)
STARTS = st.floats(0.0, 1e6)


@given(rate=RATES, burst=st.integers(1, 50), start=STARTS, pauses=PAUSES)
def test_a_bucket_never_hands_out_more_than_burst_and_rate_allow(
    rate: float, burst: int, start: float, pauses: list[float]
) -> None:
    """In the whole time, and in every stretch of it."""
    bucket, now, taken = TokenBucket(rate, burst, start), start, []
    for pause in pauses:
        now += pause
        if bucket.take(now) == 0.0:
            taken.append(now)
    for number, since in enumerate(taken):
        assert len(taken) - number <= burst + rate * (now - since) + 1e-5


@given(rate=RATES, burst=st.integers(1, 50), start=STARTS, pauses=PAUSES)
def test_a_bucket_hands_out_what_it_may(rate: float, burst: int, start: float, pauses: list[float]) -> None:
    """Beside a plain count of the tokens."""
    bucket, now, tokens = TokenBucket(rate, burst, start), start, float(burst)
    for pause in pauses:
        before, now = now, now + pause
        tokens = min(float(burst), tokens + (now - before) * rate)
        if bucket.take(now) == 0.0:
            tokens -= 1.0
            assert tokens >= -1e-5
        else:
            assert tokens < 1.0


@given(rate=RATES, burst=st.integers(1, 50), start=st.floats(0.0, 1e4), pauses=PAUSES)
def test_waiting_as_long_as_told_is_enough(rate: float, burst: int, start: float, pauses: list[float]) -> None:
    bucket, now = TokenBucket(rate, burst, start), start
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        assert 0.0 <= wait <= 1.0 / rate * (1.0 + 1e-5)
        if wait:
            now += wait
            assert bucket.take(now) == 0.0


@given(keys=st.lists(st.integers(0, 20).map(str), max_size=200), limit=st.integers(1, 10))
def test_a_table_of_buckets_never_grows_beyond_its_limit(keys: list[str], limit: int) -> None:
    buckets = TokenBuckets(1.0, 2, limit)
    for now, key in enumerate(keys):
        buckets.take(key, now / 10)
        assert len(buckets) <= limit


@given(keys=st.lists(st.integers(0, 9).map(str), max_size=200))
def test_a_table_with_room_is_a_bucket_for_each_key(keys: list[str]) -> None:
    buckets, own = TokenBuckets(3.0, 2, 10), {key: TokenBucket(3.0, 2, 0.0) for key in set(keys)}
    for number, key in enumerate(keys):
        assert buckets.take(key, number / 10) == pytest.approx(own[key].take(number / 10), abs=1e-6)


@given(
    ratio=st.floats(0.0, 1.0),
    per_second=st.floats(0.0, 50.0),
    cap=st.floats(0.0, 20.0),
    steps=st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans()), max_size=200),
)
def test_retries_never_exceed_the_budget(
    ratio: float, per_second: float, cap: float, steps: list[tuple[float, bool]]
) -> None:
    budget, now, calls, retries = RetryBudget(ratio, per_second, 0.0, cap), 0.0, 0, 0
    for pause, is_call in steps:
        now += pause
        if is_call:
            calls += 1
            budget.deposit(now)
        else:
            retries += budget.withdraw(now)
        assert retries <= min(cap, per_second) + ratio * calls + per_second * now + 1e-5
        assert -1e-5 <= budget.snapshot(now).balance <= cap
    assert budget.snapshot(now).granted == retries


@given(ratio=st.floats(0.05, 1.0), calls=st.integers(1, 300))
def test_when_every_attempt_fails_the_load_grows_by_the_ratio_at_most(ratio: float, calls: int) -> None:
    budget, attempts = RetryBudget(ratio, 0.0, 0.0), 0
    for _ in range(calls):
        budget.deposit(0.0)
        attempts += 1
        while budget.withdraw(0.0):
            attempts += 1
    assert calls + int(ratio * calls - 1e-6) <= attempts <= calls * (1.0 + ratio) + 1e-5


@given(
    attempt=st.integers(0, 10_000),
    initial=st.floats(1e-3, 10.0),
    factor=st.floats(1.0, 1e4),
    random=st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_wait_is_within_its_bounds(attempt: int, initial: float, factor: float, random: float) -> None:
    maximum = initial * factor
    wait = full_jitter(attempt, initial, maximum, lambda: random)
    assert 0.0 <= wait <= maximum
    if attempt < 20:
        assert wait <= initial * 2**attempt
