"""What every command prints by: colour only on a terminal, errors that say what to do, exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

from firebreak.client import CallFailed
from rich.console import Console
from rich.markup import escape
from rich.table import Table

NARROWEST_TABLE = 112
"""Columns that the table of services needs; a narrower terminal wraps its lines rather than losing what they say."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4


def print_json(value: Any) -> None:
    """One JSON value a line, for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def fail(message: str, code: Exit) -> NoReturn:
    err.print(f"[red]error:[/red] {escape(message)}")
    raise SystemExit(int(code))


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Turns what goes wrong in a call into words (or one JSON object) and an exit code."""
    try:
        with stopping():
            yield
    except CallFailed as failure:
        report(failure, as_json)
        raise SystemExit(int(exit_code(failure))) from None
    except OSError as error:
        fail(str(error), Exit.UNREACHABLE)


@contextmanager
def stopping() -> Iterator[None]:
    """Ends the program quietly when its reader or its user has had enough."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read the output has seen enough, as `head` does; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except KeyboardInterrupt:
        err.print("cancelled")
        raise SystemExit(130) from None


def exit_code(failure: CallFailed) -> Exit:
    if failure.code in ("PERMISSION_DENIED", "UNAUTHENTICATED"):
        return Exit.DENIED
    if failure.code == "UNAVAILABLE" and not failure.reason:
        return Exit.UNREACHABLE
    return Exit.FAILED


def report(failure: CallFailed, as_json: bool) -> None:
    """Shows a failed call: to a program as JSON on standard output, to a person on standard error."""
    if as_json:
        print_json({"error": as_dict(failure)})
        return
    err.print(f"[red]{failure.code}[/red] [bold]{escape(failure.reason)}[/bold] {escape(failure.message)}")
    for violation in failure.fields:
        err.print(f"  {escape(violation.field)}: {escape(violation.description)}")
    for key, value in failure.metadata.items():
        err.print(f"  [dim]{escape(key)}: {escape(value)}[/dim]")
    if failure.retry_after is not None:
        err.print(f"  try again in {failure.retry_after:.1f} s")
    if exit_code(failure) is Exit.UNREACHABLE:
        err.print("  Is Firebreak running? Start it with `make run`.")
    if failure.code == "DEADLINE_EXCEEDED" and not failure.reason:
        err.print("  The time that the call had is over, and its work was stopped. Allow more with --timeout.")
    if decision := failure.metadata.get("decision_id"):
        err.print(f"  more: firebreak explain {decision}")
    if call_id := failure.metadata.get("call_id"):
        err.print(f"  on record: firebreak journal show {call_id}")


def as_dict(failure: CallFailed) -> dict[str, Any]:
    return {
        "code": failure.code,
        "reason": failure.reason,
        "message": failure.message,
        "metadata": dict(failure.metadata),
        "fields": [{"field": v.field, "description": v.description} for v in failure.fields],
        "retry_after": failure.retry_after,
    }


def print_table(table: Table) -> None:
    """Draws a table as wide as the terminal, but never so narrow that something is cut off."""
    Console(highlight=False, width=max(out.width, NARROWEST_TABLE)).print(table)
