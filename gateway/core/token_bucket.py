"""Rate limits: one token bucket, and a bounded table of them."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

_ROUNDING = 1e-6
"""A token that is short by this much counts as whole, so that waiting as long as told is always enough."""

_LOOK_FOR_FULL = 8
"""How many of the longest unused buckets are looked at for one that is full."""


class TokenBucket:
    """Fills with `per_second` tokens up to `burst`, starts full, and hands out one per call."""

    __slots__ = ("_burst", "_per_second", "_tokens", "_updated")

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = self._burst
        self._updated = now

    def take(self, now: float) -> float:
        """0.0: a token was taken. Otherwise the seconds until there is one; nothing was taken."""
        wait = self.wait(now)
        # Not clamped at zero: what rounding lends here is paid back by the next token, so the rate holds exactly.
        self.charge(0 if wait else 1, now)
        return wait

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0.0 where there is one."""
        tokens = self.tokens(now)
        return 0.0 if tokens >= 1.0 - _ROUNDING else (1.0 - tokens) / self._per_second

    def charge(self, amount: int, now: float) -> None:
        """Takes `amount` whether it is there or not: what is missing is owed, and flows in before there is a token again."""
        self._tokens = self.tokens(now) - amount
        if now > self._updated:
            self._updated = now

    def change(self, per_second: float, burst: int, now: float) -> None:
        """Another rate and burst from `now` on. What is there or owed stays, as far as it fits."""
        self.charge(0, now)
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = min(self._tokens, self._burst)

    def tokens(self, now: float) -> float:
        """Tokens at hand at `now`."""
        if now <= self._updated:
            return self._tokens
        return min(self._burst, self._tokens + (now - self._updated) * self._per_second)

    def full(self, now: float) -> bool:
        """A full bucket remembers nothing: it may be dropped and made again."""
        return self.tokens(now) >= self._burst


class TokenBuckets:
    """A bucket for each key, at most `limit` of them. Where one has to go, a full one goes first, else the longest unused."""

    def __init__(self, per_second: float, burst: int, limit: int = 10_000) -> None:
        self._per_second = per_second
        self._burst = burst
        self._limit = limit
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> float:
        """As TokenBucket.take, from the bucket of `key`."""
        return self.get(key, now).take(now)

    def get(self, key: str, now: float) -> TokenBucket:
        """The bucket of `key`, which counts as used now."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return self._add(key, now)
        self._buckets.move_to_end(key)
        return bucket

    def change(self, per_second: float, burst: int, now: float) -> None:
        """As TokenBucket.change, for every bucket; nothing where they are the same as before."""
        if (per_second, burst) == (self._per_second, self._burst):
            return
        self._per_second, self._burst = per_second, burst
        for bucket in self._buckets.values():
            bucket.change(per_second, burst, now)

    def _add(self, key: str, now: float) -> TokenBucket:
        if len(self._buckets) >= self._limit:
            oldest = list(islice(self._buckets.items(), _LOOK_FOR_FULL))
            del self._buckets[next((name for name, bucket in oldest if bucket.full(now)), oldest[0][0])]
        bucket = self._buckets[key] = TokenBucket(self._per_second, self._burst, now)
        return bucket
