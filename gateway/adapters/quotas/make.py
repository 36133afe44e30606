"""Makes the quotas that the configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.adapters.quotas.shared import SharedQuotas
from gateway.config import Quotas

LOCAL: Mapping[str, str] = {"backend": "local", "degraded": ""}
"""The report where nothing is shared."""


def make_quotas(config: Quotas | None, root: Path) -> SharedQuotas | None:
    """None where nothing is shared. Raises ValueError where the client of Redis is not installed."""
    if config is None:
        return None
    try:
        from gateway.adapters.quotas.redis_store import RedisStore  # not everybody has the client installed
    except ImportError as error:
        raise ValueError(
            f"quotas need the package {error.name}, which is not installed: install requirements-redis.lock"
        ) from None
    return SharedQuotas(RedisStore(config, root), config)
