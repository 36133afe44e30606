from __future__ import annotations

import pytest

from gateway.core.token_bucket import TokenBucket, TokenBuckets


def taken(bucket: TokenBucket, now: float) -> int:
    """How many tokens there are to be had at `now`."""
    count = 0
    while bucket.take(now) == 0.0:
        count += 1
    return count


@pytest.mark.parametrize("burst", [1, 2, 200])
def test_burst(burst: int) -> None:
    assert taken(TokenBucket(1.0, burst, 0.0), 0.0) == burst


@pytest.mark.parametrize(("seconds", "tokens"), [(0.2, 0), (0.25, 1), (1.0, 4), (2.4, 9), (60.0, 10)])
def test_per_second(seconds: float, tokens: int) -> None:
    bucket = TokenBucket(4.0, 10, 0.0)
    taken(bucket, 0.0)
    assert taken(bucket, seconds) == tokens


def test_tells_when_there_is_one_again() -> None:
    bucket = TokenBucket(4.0, 1, 0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(0.0) == 0.25
    assert bucket.take(0.125) == 0.125
    assert bucket.take(0.25) == 0.0


@pytest.mark.parametrize(
    ("rate", "start", "later"), [(7.0, 0.0, 0.0570775260900925), (200.0, 1000.3, 1000.3046685832115)]
)
def test_waiting_as_long_as_told_is_enough_whatever_the_rounding(rate: float, start: float, later: float) -> None:
    bucket = TokenBucket(rate, 1, start)
    bucket.take(start)
    wait = bucket.take(later)
    assert bucket.take(later + wait) == 0.0


def test_a_clock_that_steps_back_fills_nothing() -> None:
    bucket = TokenBucket(1.0, 1, 100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) == 1.0
    assert bucket.take(100.5) == 0.5


def test_full() -> None:
    bucket = TokenBucket(1.0, 2, 0.0)
    assert bucket.full(0.0)
    bucket.take(0.0)
    assert not bucket.full(0.5)
    assert bucket.full(1.0)


def test_each_key_has_its_own() -> None:
    buckets = TokenBuckets(1.0, 1)
    assert buckets.take("ada", 0.0) == 0.0
    assert buckets.take("ada", 0.0) == 1.0
    assert buckets.take("bob", 0.0) == 0.0


def test_the_table_is_bounded() -> None:
    buckets = TokenBuckets(1.0, 1, limit=3)
    for number in range(1000):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 3


def test_a_full_bucket_goes_first() -> None:
    buckets = TokenBuckets(1.0, 2, limit=2)
    buckets.take("busy", 0.0)
    buckets.take("busy", 0.0)
    buckets.take("idle", 0.0)
    buckets.take("new", 1.0)  # by now "idle" is full again, "busy" is not, although it is unused for longer
    assert buckets.take("busy", 1.0) == 0.0
    assert buckets.take("busy", 1.0) == 1.0


def test_without_a_full_one_the_longest_unused_goes() -> None:
    buckets = TokenBuckets(1.0, 1, limit=2)
    buckets.take("old", 0.0)
    buckets.take("other", 0.0)
    buckets.take("old", 0.1)  # refused, but used
    buckets.take("new", 0.2)
    assert buckets.take("old", 0.3) > 0.0
    assert buckets.take("other", 0.3) == 0.0


def test_to_ask_how_long_takes_nothing() -> None:
    bucket = TokenBucket(4.0, 1, 0.0)
    assert (bucket.wait(0.0), bucket.wait(0.0)) == (0.0, 0.0)
    assert bucket.take(0.0) == 0.0
    assert (bucket.wait(0.0), bucket.wait(0.125)) == (0.25, 0.125)


def test_what_is_charged_beyond_what_is_there_is_owed_first() -> None:
    bucket = TokenBucket(10.0, 100, 0.0)
    bucket.charge(150, 0.0)
    assert bucket.tokens(0.0) == -50
    assert bucket.wait(0.0) == 5.1
    assert bucket.take(5.0) > 0
    assert bucket.take(5.1) == 0.0


def test_a_charge_by_a_clock_that_steps_back_fills_nothing() -> None:
    bucket = TokenBucket(1.0, 10, 100.0)
    bucket.charge(10, 100.0)
    bucket.charge(1, 50.0)
    assert bucket.tokens(100.0) == -1


@pytest.mark.parametrize(("burst", "left"), [(200, 40), (30, 30)])
def test_another_rate_counts_from_now_on_and_what_is_there_stays_as_far_as_it_fits(burst: int, left: int) -> None:
    bucket = TokenBucket(1.0, 100, 0.0)
    bucket.charge(70, 0.0)
    bucket.change(5.0, burst, 10.0)
    assert bucket.tokens(10.0) == left
    assert bucket.tokens(11.0) == min(left + 5, burst)


def test_a_debt_outlives_another_rate_which_holds_for_every_bucket_old_or_new() -> None:
    buckets = TokenBuckets(1.0, 10)
    buckets.get("ada", 0.0).charge(30, 0.0)
    buckets.change(2.0, 5, 0.0)
    assert buckets.get("ada", 0.0).tokens(0.0) == -20
    assert buckets.get("ada", 0.0).wait(0.0) == 10.5
    assert buckets.get("bob", 0.0).tokens(0.0) == 5


def test_the_same_rate_again_changes_nothing() -> None:
    buckets = TokenBuckets(1.0, 10)
    bucket = buckets.get("ada", 0.0)
    bucket.charge(4, 0.0)
    buckets.change(1.0, 10, 0.0)
    assert buckets.get("ada", 0.0) is bucket
    assert bucket.tokens(0.0) == 6
