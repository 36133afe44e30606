"""Why a service does not answer a call: reasons, their status codes, and how an error crosses from a worker to its host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

DOMAIN = "firebreak.dev"
"""`domain` of every ErrorInfo."""

CODES: Mapping[str, int] = {
    "REQUEST_MALFORMED": 3,
    "REQUEST_TOO_LARGE": 3,
    "ARGUMENTS_INVALID": 3,
    "DEADLINE_EXCEEDED": 4,
    "FIRST_EVENT_TIMEOUT": 4,
    "IDLE_TIMEOUT": 4,
    "TARGET_UNKNOWN": 5,
    "POLICY_DENIED": 7,
    "POLICY_UNAVAILABLE": 7,
    "RATE_LIMITED": 8,
    "OVERLOADED": 8,
    "CONCURRENCY_LIMITED": 8,
    "DEPTH_EXCEEDED": 8,
    "CALL_BUDGET_EXCEEDED": 8,
    "MEMORY_EXCEEDED": 8,
    "RESPONSE_TOO_LARGE": 8,
    "SCHEMA_CHANGED": 9,
    "METHOD_UNKNOWN": 12,
    "CONTRACT_VIOLATED": 13,
    "AGENT_FAILED": 13,
    "MODEL_FAILED": 13,
    "JOURNAL_UNAVAILABLE": 14,
    "ANSWER_WITHHELD": 15,
    "INTERNAL": 13,
    "DRAINING": 14,
    "CIRCUIT_OPEN": 14,
    "TARGET_UNAVAILABLE": 14,
    "TARGET_NOT_READY": 14,
    "WORKER_DIED": 14,
    "CREDENTIALS_MISSING": 16,
    "CREDENTIALS_INVALID": 16,
    "CREDENTIALS_EXPIRED": 16,
    "SESSION_INVALID": 16,
    "CANCELLED": 1,
}
"""gRPC status code of each reason of firebreak/v1/errors.proto."""

PAYLOAD_LIMIT = 64 * 1024
"""Bytes of an encoded error; what does not fit is left out."""
MESSAGE_LIMIT = 2000
"""Characters of a message that reach a caller."""


class LoadError(Exception):
    """The service cannot run as it is configured. The text is for the platform engineer and holds no secret."""


class ServedError(Exception):
    """The call ends with `reason`, a key of CODES.

    `message` is shown to the caller: it says what to do and holds no secret, no argument value and no exception text.
    `metadata` goes into the ErrorInfo. `fields` are (path, what is wrong) pairs of the request and go into a BadRequest.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        if reason not in CODES:
            raise ValueError(f"{reason!r} is no reason of errors.proto")
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.fields = fields

    @property
    def code(self) -> int:
        return CODES[self.reason]


def encode_error(error: ServedError, log: str = "") -> bytes:
    """Payload of an ERROR frame; `log` is for the service's log only."""
    bare = {"reason": error.reason, "message": error.message[:MESSAGE_LIMIT]}
    for extra in ({"metadata": error.metadata, "fields": error.fields, "log": log}, {"metadata": error.metadata}, {}):
        payload = json.dumps({**bare, **extra}, ensure_ascii=False).encode("utf-8", "replace")
        if len(payload) <= PAYLOAD_LIMIT:
            break
    return payload


def decode_error(payload: bytes) -> tuple[ServedError, str]:
    """The error and the text for the log of an ERROR frame.

    Raises ValueError where the payload is not what `encode_error` makes: a worker is not trusted.
    """
    document: Any = json.loads(payload)
    if not isinstance(document, dict):
        raise ValueError("an error is an object")
    fields = tuple((_text(name), _text(wrong)) for name, wrong in document.get("fields") or ())
    metadata = {_text(key): _text(value) for key, value in (document.get("metadata") or {}).items()}
    message = _text(document.get("message"))[:MESSAGE_LIMIT]
    error = ServedError(_text(document.get("reason")), message, metadata=metadata, fields=fields)
    return error, _text(document.get("log", ""))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a string")
    return value
