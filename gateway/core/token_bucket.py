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
        tokens = self.tokens(now)
        if now > self._updated:
            self._updated = now
        # Not clamped at zero: what rounding lends here is paid back by the next token, so the rate holds exactly.
        taken = tokens >= 1.0 - _ROUNDING
        self._tokens = tokens - 1.0 if taken else tokens
        return 0.0 if taken else (1.0 - tokens) / self._per_second

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
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._add(key, now)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)

    def _add(self, key: str, now: float) -> TokenBucket:
        if len(self._buckets) >= self._limit:
            oldest = list(islice(self._buckets.items(), _LOOK_FOR_FULL))
            del self._buckets[next((name for name, bucket in oldest if bucket.full(now)), oldest[0][0])]
        bucket = self._buckets[key] = TokenBucket(self._per_second, self._burst, now)
        return bucket
