"""Quotas that several gateways share."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import field_validator, model_validator

from gateway.config.values import Config, Duration

_FORM = (
    'is written like "redis://host:6379/0" or "rediss://user@host:6379/0", without a password: that is in password_file'
)


class Quotas(Config):
    """One Redis for all gateways that share `admission.principal_rate` and each target's `limits.rate`.

    A question takes at most `timeout`. `when_gone` "local": each gateway goes on with its own buckets, so that all of them
    together let through at most as many times the rate as there are gateways; "refuse": calls are refused with OVERLOADED.
    A rediss address is TLS: its certificate must be signed by an authority in `ca_file` (PEM), or by one of the system's
    without it. `password_file` and `ca_file` are read for each new connection.
    """

    redis: str
    password_file: str | None = None
    ca_file: str | None = None
    timeout: Duration = 0.05
    when_gone: Literal["local", "refuse"] = "local"

    @field_validator("redis")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            sound = _sound(parts)
        except ValueError:  # a port that is none; what was written may hold a password and is not repeated
            sound = False
        if not sound:
            raise ValueError(_FORM)
        return value

    @model_validator(mode="after")
    def _authorities_have_an_effect(self) -> Self:
        if self.ca_file is not None and not self.redis.startswith("rediss://"):
            raise ValueError("ca_file is for a rediss:// address")
        return self


def _sound(parts: SplitResult) -> bool:
    database = parts.path.removeprefix("/")
    return (
        parts.scheme in ("redis", "rediss")
        and bool(parts.hostname)
        and (parts.port is None or parts.port > 0)
        and parts.password is None
        and (database == "" or (database.isascii() and database.isdigit()))
        and not parts.query
        and not parts.fragment
    )
