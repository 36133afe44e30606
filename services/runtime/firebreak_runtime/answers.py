"""What both kinds of worker say to the host, and how they read a call."""

from __future__ import annotations

import json
from collections.abc import Iterator

from firebreak_runtime.cause import full_text, safe_cause
from firebreak_runtime.context import CallContext
from firebreak_runtime.errors import ServedError, encode_error
from firebreak_runtime.frames import MAX_MESSAGE, Kind, decode_call, encode, encode_message

EXIT_MEMORY = 77
"""Exit code of a worker that ran into its memory limit: it may not be able to say so in a frame."""


class HostGone(BaseException):
    """The host has closed the socket. No Exception, so that no foreign handler keeps the worker alive."""


def open_call(payload: bytes) -> tuple[str, CallContext, bytes]:
    """Method, context and request of a CALL frame."""
    header, request = decode_call(payload)
    method: str = header.pop("method")
    return method, CallContext(**header), request


def message_frames(call: int, message: bytes) -> Iterator[bytes]:
    """The frames of one response message. Raises ServedError if it is too large."""
    if len(message) > MAX_MESSAGE:
        wrong = f"The answer has {len(message)} bytes; at most {MAX_MESSAGE} fit into one message. Ask for less."
        raise ServedError("RESPONSE_TOO_LARGE", wrong)
    return encode_message(call, message)


def ready_frame(missing: tuple[str, ...]) -> bytes:
    return encode(Kind.READY, 0, json.dumps({"missing": missing}).encode())


def not_started_frame(error: BaseException) -> bytes:
    """Says why the worker cannot serve; it ends after this."""
    wrong = ServedError("TARGET_NOT_READY", safe_cause(error))
    return encode(Kind.ERROR, 0, encode_error(wrong, full_text(error)))
