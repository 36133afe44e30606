"""Waits until a Firebreak that runs here has taken over what is new."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cli.status import fetch

PATIENCE = 60.0
POLICY_PATIENCE = 5.0
POLL = 0.1

Clock = Callable[[], float]


def is_running(admin: str) -> bool:
    try:
        fetch(admin, timeout=2.0)
    except OSError:
        return False
    return True


def settled(
    admin: str,
    name: str,
    patience: float = PATIENCE,
    now: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, str]:
    """The service's state and its reason, as soon as it is ready or certain not to be; the last known after `patience` seconds.

    The state is "unknown" while the gateway does not know the service, and where it has gone.
    """
    end = now() + patience
    while True:
        state, reason = _look(admin, name)
        if state in ("ready", "not_ready") or now() >= end:
            return state, reason
        sleep(POLL)


def in_force(
    admin: str,
    revision: str,
    patience: float = POLICY_PATIENCE,
    now: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether the policy of this revision decides there, at once or within `patience` seconds; no gateway has none."""
    end = now() + patience
    while True:
        try:
            if fetch(admin, timeout=2.0)["gateway"]["policy"]["revision"] == revision:
                return True
        except OSError:
            return False
        if now() >= end:
            return False
        sleep(POLL)


def _look(admin: str, name: str) -> tuple[str, str]:
    try:
        rows: list[dict[str, Any]] = fetch(admin, timeout=2.0)["services"]
    except OSError as error:
        return "unknown", f"no gateway answers on {admin}: {error}"
    for row in rows:
        if row["name"] == name:
            return str(row["state"]), str(row["reason"])
    return "unknown", "the gateway does not know it yet"
