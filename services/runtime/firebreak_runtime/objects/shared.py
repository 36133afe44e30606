"""What all kinds share: the choice of mode, parsing of requests, and errors for unknown methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from firebreak_runtime.errors import ServedError
from firebreak_runtime.json_values import JsonError, loads_object
from firebreak_runtime.served import WorkerEnv
from firebreak_runtime.service_file import ServiceFile

Emit = Callable[[bytes], None]
AsyncEmit = Callable[[bytes], Awaitable[None]]
Mode = Literal["sync", "async"]

M = TypeVar("M")


class Standalone:
    """An object that reaches for no other service."""

    async def start(self, env: WorkerEnv) -> tuple[str, ...]:
        """Nothing to connect to, so nothing is missing."""
        del env
        return ()


def choose_mode(service: ServiceFile, own_coroutine: bool) -> Mode:
    """The service's mode; "auto" is async where the object has a coroutine of its own.

    What merely runs its sync code on a thread is sync: a thread cannot be stopped, a worker can.
    """
    if service.mode == "auto":
        return "async" if own_coroutine else "sync"
    return service.mode


def is_own(function: Any) -> bool:
    """Whether a coroutine function is written for this object: LangChain's own defaults run sync code on a thread."""
    module = getattr(function, "__module__", "") or getattr(getattr(function, "func", None), "__module__", "") or ""
    return not module.startswith("langchain_core.")


def parse(message: type[M], request: bytes) -> M:
    """The request message. Raises ServedError REQUEST_MALFORMED."""
    parsed = message()
    try:
        parsed.ParseFromString(request)  # type: ignore[attr-defined]  # generated messages share no typed base
    except Exception:
        # Protobuf's own error differs between its implementations; any failure here means the bytes are wrong.
        raise ServedError("REQUEST_MALFORMED", f"the request is no {message.__name__}") from None
    return parsed


def json_object(data: bytes, field: str) -> dict[str, Any]:
    """The JSON object in a field of the request. Raises ServedError ARGUMENTS_INVALID that names the field."""
    try:
        return loads_object(data)
    except JsonError as error:
        raise invalid(field, str(error)) from None


def invalid(field: str, wrong: str) -> ServedError:
    """ARGUMENTS_INVALID about one field of the request."""
    return ServedError("ARGUMENTS_INVALID", f"{field}: {wrong}", fields=((field, wrong),))


def unknown_method(method: str, kind: str) -> ServedError:
    return ServedError("METHOD_UNKNOWN", f"a {kind} has no method {method}")
