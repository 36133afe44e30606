"""Turns what foreign code raised into one line that is safe to show, and a text for the log."""

from __future__ import annotations

import re
import secrets
import traceback

from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.service_file import ServiceFile

CAUSE_LIMIT = 300
LOG_LIMIT = 8000
_SPEAKING = (ImportError, AttributeError, NameError, SyntaxError, TypeError, LoadError)
"""Exceptions whose text Python or Firebreak writes: names of modules and attributes. Any other text may hold a secret."""
_PATH = re.compile(r"(?<![\w.])(?:/[^\s/'\"(),:;]+)+/")
_FAILED = {"agent": "AGENT_FAILED", "model": "MODEL_FAILED"}


def safe_cause(error: BaseException) -> str:
    """One printable line that says why a service does not run, without folders and without foreign text."""
    if isinstance(error, ServedError):
        return printable(error.message)
    if isinstance(error, LoadError):
        return printable(str(error))
    name = type(error).__name__
    if isinstance(error, _SPEAKING):
        first = (str(error).splitlines() or [""])[0]
        return printable(f"{name}: {_PATH.sub('', first)}")
    return printable(f"{name} in {_place(error)}; the service's log has the text")


def failure(error: BaseException, service: ServiceFile) -> tuple[ServedError, str]:
    """What the caller gets for an exception out of a served object, and the text for the log ("" where none is needed)."""
    if isinstance(error, ServedError):
        return error, ""
    correlation = secrets.token_hex(8)
    wrong = ServedError(
        _FAILED.get(service.kind, "INTERNAL"),
        f"The {service.kind} {service.name} failed. Its log has the details under correlation id {correlation}.",
        metadata={"target": service.name, "correlation_id": correlation},
    )
    return wrong, full_text(error)


def full_text(error: BaseException) -> str:
    """The end of the traceback, for the log."""
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))[-LOG_LIMIT:]


def printable(text: str) -> str:
    """`text` without control characters, on one line, cut to CAUSE_LIMIT characters."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= CAUSE_LIMIT else clean[: CAUSE_LIMIT - 1] + "…"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown place"
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
