"""What bounds a target's calls: limits, breaker, retries, and what a call does to the world."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from gateway.config.values import Config, Duration, Size


class Effect(StrEnum):
    """What a call does to the world; decides what may be retried."""

    READ = "READ"
    IDEMPOTENT = "IDEMPOTENT"
    MUTATING = "MUTATING"


class Rate(Config):
    """A token bucket: `per_second` tokens flow in, at most `burst` are held; a call takes one."""

    per_second: float = Field(gt=0)
    burst: int = Field(ge=1)


class Tokens(Config):
    """Bounds of a model's tokens, in the model's own count.

    The service refuses a longer `prompt` and lets no answer grow beyond `answer`. `per_minute` is what each one for whom calls
    are made may use in prompts and answers together; the gateway refuses calls from then on until enough time has passed.
    """

    prompt: int | None = Field(default=None, ge=1)
    answer: int | None = Field(default=None, ge=1)
    per_minute: int | None = Field(default=None, ge=1)


class Limits(Config):
    """Bounds of one target's calls.

    `deadline` applies where the caller sets none, `max_deadline` always. `first_event` bounds the wait for the first
    response message, `idle` the wait between messages of a stream. `concurrency` is the number of calls at once; up to
    `queue` more wait for a place until their deadline, fewer where more come than can be served. `response_bytes` bounds a
    whole answer, and the number of its messages with it: one for each 128 bytes, but 256 at least. `tokens` is for models
    only.
    """

    deadline: Duration = 30.0
    max_deadline: Duration = 120.0
    first_event: Duration = 30.0
    idle: Duration = 30.0
    concurrency: int = Field(default=32, ge=1)
    queue: int = Field(default=32, ge=0)
    rate: Rate = Rate(per_second=200.0, burst=200)
    request_bytes: Size = 256 * 1024
    response_bytes: Size = 4 * 1024**2
    tokens: Tokens = Tokens()

    @model_validator(mode="after")
    def _default_within_maximum(self) -> Self:
        if self.deadline > self.max_deadline:
            raise ValueError("deadline is more than max_deadline")
        return self


class Breaker(Config):
    """When calls to a target stop for a while.

    Of the calls that ended within `window`, if there were at least `minimum_calls`: opens when `error_rate` of them
    failed, or when `slow_rate` of them took longer than `slow_call`. Stays open for `open_for`, then lets `probes` calls
    through (HALF_OPEN) and closes when all of them succeed.
    """

    window: Duration = 30.0
    minimum_calls: int = Field(default=10, ge=1)
    error_rate: float = Field(default=0.5, gt=0, le=1)
    slow_call: Duration = 20.0
    slow_rate: float = Field(default=0.9, gt=0, le=1)
    open_for: Duration = 10.0
    probes: int = Field(default=2, ge=1)


class Retry(Config):
    """Retries of calls that the target declares READ or IDEMPOTENT.

    At most `attempts` in all. The budget earns `budget_ratio` of a retry with each call and `budget_per_second` over time, so
    that retries stay a fraction of the load. The n-th wait is random between 0 and `backoff` × 2ⁿ, at most `backoff_max`.
    """

    attempts: int = Field(default=3, ge=1, le=10)
    budget_ratio: float = Field(default=0.2, ge=0, le=1)
    budget_per_second: float = Field(default=1.0, ge=0)
    backoff: Duration = 0.05
    backoff_max: Duration = 1.0

    @model_validator(mode="after")
    def _backoff_within_maximum(self) -> Self:
        if self.backoff > self.backoff_max:
            raise ValueError("backoff is more than backoff_max")
        return self
