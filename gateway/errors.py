"""Why Firebreak itself ends a call: one root, one enum of reasons, one table from reason to gRPC status code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

DOMAIN = "firebreak.dev"
"""`domain` of every ErrorInfo that the gateway or a runtime makes."""


class Code(IntEnum):
    """gRPC status codes (https://grpc.io/docs/guides/status-codes/)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class Reason(StrEnum):
    """`reason` of the ErrorInfo; firebreak/v1/errors.proto has the same names and docs/errors.md explains them."""

    CREDENTIALS_MISSING = "CREDENTIALS_MISSING"
    CREDENTIALS_INVALID = "CREDENTIALS_INVALID"
    CREDENTIALS_EXPIRED = "CREDENTIALS_EXPIRED"
    SESSION_INVALID = "SESSION_INVALID"
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    ARGUMENTS_INVALID = "ARGUMENTS_INVALID"
    SCHEMA_CHANGED = "SCHEMA_CHANGED"
    METHOD_UNKNOWN = "METHOD_UNKNOWN"
    TARGET_UNKNOWN = "TARGET_UNKNOWN"
    POLICY_DENIED = "POLICY_DENIED"
    POLICY_UNAVAILABLE = "POLICY_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    FIRST_EVENT_TIMEOUT = "FIRST_EVENT_TIMEOUT"
    IDLE_TIMEOUT = "IDLE_TIMEOUT"
    CANCELLED = "CANCELLED"
    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"
    CONCURRENCY_LIMITED = "CONCURRENCY_LIMITED"
    DEPTH_EXCEEDED = "DEPTH_EXCEEDED"
    CALL_BUDGET_EXCEEDED = "CALL_BUDGET_EXCEEDED"
    DRAINING = "DRAINING"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    TARGET_UNAVAILABLE = "TARGET_UNAVAILABLE"
    TARGET_NOT_READY = "TARGET_NOT_READY"
    WORKER_DIED = "WORKER_DIED"
    MEMORY_EXCEEDED = "MEMORY_EXCEEDED"
    RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"
    CONTRACT_VIOLATED = "CONTRACT_VIOLATED"
    AGENT_FAILED = "AGENT_FAILED"
    MODEL_FAILED = "MODEL_FAILED"
    JOURNAL_UNAVAILABLE = "JOURNAL_UNAVAILABLE"
    ANSWER_WITHHELD = "ANSWER_WITHHELD"
    INTERNAL = "INTERNAL"


CODES: Mapping[Reason, Code] = {
    Reason.CREDENTIALS_MISSING: Code.UNAUTHENTICATED,
    Reason.CREDENTIALS_INVALID: Code.UNAUTHENTICATED,
    Reason.CREDENTIALS_EXPIRED: Code.UNAUTHENTICATED,
    Reason.SESSION_INVALID: Code.UNAUTHENTICATED,
    Reason.REQUEST_MALFORMED: Code.INVALID_ARGUMENT,
    Reason.REQUEST_TOO_LARGE: Code.INVALID_ARGUMENT,
    Reason.ARGUMENTS_INVALID: Code.INVALID_ARGUMENT,
    Reason.SCHEMA_CHANGED: Code.FAILED_PRECONDITION,
    Reason.METHOD_UNKNOWN: Code.UNIMPLEMENTED,
    Reason.TARGET_UNKNOWN: Code.NOT_FOUND,
    Reason.POLICY_DENIED: Code.PERMISSION_DENIED,
    Reason.POLICY_UNAVAILABLE: Code.PERMISSION_DENIED,
    Reason.DEADLINE_EXCEEDED: Code.DEADLINE_EXCEEDED,
    Reason.FIRST_EVENT_TIMEOUT: Code.DEADLINE_EXCEEDED,
    Reason.IDLE_TIMEOUT: Code.DEADLINE_EXCEEDED,
    Reason.CANCELLED: Code.CANCELLED,
    Reason.RATE_LIMITED: Code.RESOURCE_EXHAUSTED,
    Reason.OVERLOADED: Code.RESOURCE_EXHAUSTED,
    Reason.CONCURRENCY_LIMITED: Code.RESOURCE_EXHAUSTED,
    Reason.DEPTH_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.CALL_BUDGET_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.DRAINING: Code.UNAVAILABLE,
    Reason.CIRCUIT_OPEN: Code.UNAVAILABLE,
    Reason.TARGET_UNAVAILABLE: Code.UNAVAILABLE,
    Reason.TARGET_NOT_READY: Code.UNAVAILABLE,
    Reason.WORKER_DIED: Code.UNAVAILABLE,
    Reason.MEMORY_EXCEEDED: Code.RESOURCE_EXHAUSTED,
    Reason.RESPONSE_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    Reason.CONTRACT_VIOLATED: Code.INTERNAL,
    Reason.AGENT_FAILED: Code.INTERNAL,
    Reason.MODEL_FAILED: Code.INTERNAL,
    Reason.JOURNAL_UNAVAILABLE: Code.UNAVAILABLE,
    # No code that a client repeats by itself: the call did run.
    Reason.ANSWER_WITHHELD: Code.DATA_LOSS,
    Reason.INTERNAL: Code.INTERNAL,
}
"""The status code of each reason."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of the request that is wrong: `field` is its path, e.g. "args.expression"."""

    field: str
    description: str


class CallError(Exception):
    """Firebreak ends the call; whatever else escapes a stage is a bug and becomes INTERNAL.

    `message` is shown to the caller: it says what to do and holds no secret, no argument value and no exception text.
    `metadata` goes into the ErrorInfo, `fields` into a BadRequest, `retry_after` (seconds) into a RetryInfo,
    `quota` (a subject such as "target:calculator") into a QuotaFailure.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        fields: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
        quota: str | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.fields = fields
        self.retry_after = retry_after
        self.quota = quota

    @property
    def code(self) -> Code:
        return CODES[self.reason]
