"""Which records are wanted: the options that `tail` and `export` share."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.adapters.journal.store import Where

_AGO = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

Principal = Annotated[str, typer.Option(help="Calls that this principal made, or that were made for it.")]
Target = Annotated[str, typer.Option(help="Calls of this service.")]
Outcome = Annotated[str, typer.Option(help="A status code (OK, PERMISSION_DENIED, …) or a reason (POLICY_DENIED, …).")]
Since = Annotated[str, typer.Option(help='From then on: ISO 8601, or how long ago, as in "2h" or "3d".')]
Until = Annotated[str, typer.Option(help="Before then; written like --since.")]


def where(principal: str, target: str, outcome: str, since: str, until: str, kinds: tuple[str, ...] = ()) -> Where:
    """What the options ask for; raises typer.BadParameter."""
    from gateway.adapters.journal.store import Where

    first, last = instant(since, "--since"), instant(until, "--until")
    if first is not None and last is not None and first >= last:
        raise typer.BadParameter("--until is not later than --since")
    return Where(principal=principal, target=target, outcome=outcome.upper(), since=first, until=last, kinds=kinds)


def instant(text: str, option: str, wall: Callable[[], float] = time.time) -> int | None:
    """Microseconds since 1970 of an ISO 8601 time (local where it names no offset) or of "2h" ago; None for ""."""
    if not text:
        return None
    if ago := _AGO.fullmatch(text):
        return int((wall() - float(ago[1]) * _SECONDS[ago[2]]) * 1_000_000)
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f'{option}: "{text}" is neither ISO 8601 nor like "90s", "30m", "2h", "3d"') from None
