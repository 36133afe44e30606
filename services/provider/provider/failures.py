"""What callers are told when the provider fails: what kind of failure and what to do, never the provider's own text.

That text may quote the key, the prompt or addresses. The log gets the words that a machine wrote: type, status, code.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firebreak_runtime.errors import LoadError, ServedError
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

_log = logging.getLogger("provider")
_WORD = re.compile(r"[a-z_]{1,40}")
_LONGEST_WAIT = 3600
_TRANSPORT = ("httpx", "httpx2", "httpcore", "httpcore2")

_REFUSED_KEY = (
    "MODEL_FAILED",
    "The provider refused the service's key. Whoever runs the service has to put a valid one into its key file.",
)
_BUSY = ("RATE_LIMITED", "The provider takes no more requests of this service for now. Wait, then try again.")
_AWAY = ("TARGET_UNAVAILABLE", "The provider cannot be reached or is out of order. Try again shortly.")
_TOO_LONG = ("REQUEST_TOO_LARGE", "The prompt is longer than the provider's model can read. Shorten it.")
_UNKNOWN_MODEL = (
    "MODEL_FAILED",
    "The provider has no such model. Whoever runs the service has to correct env.PROVIDER_MODEL or env.PROVIDER_BASE_URL.",
)
_WRONG = ("MODEL_FAILED", "The provider refused the request as it is. The service's log says more.")
_FAILED = ("MODEL_FAILED", "The provider failed, or its answer makes no sense. The service's log says more.")

_BY_TYPE: tuple[tuple[type[Exception] | tuple[type[Exception], ...], tuple[str, str]], ...] = (
    (ContextOverflowError, _TOO_LONG),
    ((ModelAuthenticationError, ModelPermissionDeniedError), _REFUSED_KEY),
    (ModelRateLimitError, _BUSY),
    (ModelNotFoundError, _UNKNOWN_MODEL),
    ((ModelConnectionError, ModelTimeoutError, ModelAPIError, OSError), _AWAY),
)
_BY_STATUS = {401: _REFUSED_KEY, 403: _REFUSED_KEY, 404: _UNKNOWN_MODEL, 408: _AWAY, 413: _TOO_LONG, 429: _BUSY}


def explained(error: Exception) -> ServedError:
    """The failure as callers see it; the log gets a line about it."""
    if isinstance(error, ServedError):
        return error
    if isinstance(error, LoadError):  # the key file is gone since the service was loaded
        return ServedError("TARGET_NOT_READY", f"The service cannot work: {error}.")
    status = _status(error)
    _log.warning("the provider failed: %s", " ".join(_words(error, status)))
    reason, message = _kind(error, status)
    return ServedError(reason, message, metadata=_metadata(error, status))


def broken_off() -> ServedError:
    """An answer that stopped without its end must not pass for a whole one."""
    return ServedError("TARGET_UNAVAILABLE", "The provider's answer broke off before its end. Try again shortly.")


def _kind(error: Exception, status: int | None) -> tuple[str, str]:
    for types, kind in _BY_TYPE:
        if isinstance(error, types):
            return kind
    if getattr(error, "code", None) == "context_length_exceeded":
        return _TOO_LONG
    if status is None:
        return _AWAY if type(error).__module__.partition(".")[0] in _TRANSPORT else _FAILED
    if status >= 500:
        return _AWAY
    return _BY_STATUS.get(status, _WRONG)


def _status(error: Exception) -> int | None:
    """The HTTP status, where the provider's package tells it as most do."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and 400 <= status <= 599:
            return status
    return None


def _metadata(error: Exception, status: int | None) -> dict[str, str]:
    metadata = {} if status is None else {"status": str(status)}
    wait = str(_header(error, "retry-after") or "")
    if re.fullmatch(r"\d{1,4}", wait, re.ASCII) and int(wait) <= _LONGEST_WAIT:
        metadata["retry_after_seconds"] = wait
    return metadata


def _header(error: Exception, name: str) -> Any:
    headers = getattr(getattr(error, "response", None), "headers", None)
    return headers.get(name) if isinstance(headers, Mapping) else None


def _words(error: Exception, status: int | None) -> list[str]:
    words = [f"type={type(error).__name__}"] + ([f"status={status}"] if status else [])
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    words.extend(f"at={Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    for name in ("type", "code"):
        word = getattr(error, name, None)
        if isinstance(word, str) and _WORD.fullmatch(word):
            words.append(f"{name}={word}")
    return words
