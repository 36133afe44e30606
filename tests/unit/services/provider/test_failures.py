"""What callers are told when a provider fails, whichever package speaks to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from firebreak_runtime.errors import LoadError, ServedError
from langchain_core import exceptions

from services.provider.provider.failures import explained

SECRET = "sk-Secret-123"


@dataclass
class Response:
    """What most packages hang on their exceptions."""

    status_code: int
    headers: dict[str, str] = field(default_factory=dict)


class StatusError(Exception):
    """An exception of a package that knows nothing of LangChain's types."""

    def __init__(self, status: int, headers: dict[str, str] | None = None, code: str = "") -> None:
        super().__init__(f"status {status} for {SECRET}")
        self.response = Response(status, headers or {})
        self.code = code


class ReadError(Exception):
    """As httpx has it."""

    __module__ = "httpx"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "MODEL_FAILED"),
        (401, "MODEL_FAILED"),
        (403, "MODEL_FAILED"),
        (404, "MODEL_FAILED"),
        (408, "TARGET_UNAVAILABLE"),
        (413, "REQUEST_TOO_LARGE"),
        (422, "MODEL_FAILED"),
        (429, "RATE_LIMITED"),
        (499, "MODEL_FAILED"),
        (500, "TARGET_UNAVAILABLE"),
        (529, "TARGET_UNAVAILABLE"),
    ],
)
def test_a_status_says_what_kind_of_failure_it_is(status: int, reason: str) -> None:
    told = explained(StatusError(status))
    assert (told.reason, told.metadata) == (reason, {"status": str(status)})
    assert SECRET not in told.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (exceptions.ModelAuthenticationError(SECRET), "MODEL_FAILED"),
        (exceptions.ModelPermissionDeniedError(SECRET), "MODEL_FAILED"),
        (exceptions.ModelRateLimitError(SECRET), "RATE_LIMITED"),
        (exceptions.ModelNotFoundError(SECRET), "MODEL_FAILED"),
        (exceptions.ModelConnectionError(SECRET), "TARGET_UNAVAILABLE"),
        (exceptions.ModelTimeoutError(SECRET), "TARGET_UNAVAILABLE"),
        (exceptions.ModelAPIError(SECRET), "TARGET_UNAVAILABLE"),
        (exceptions.ContextOverflowError(SECRET), "REQUEST_TOO_LARGE"),
        (StatusError(400, code="context_length_exceeded"), "REQUEST_TOO_LARGE"),
        (ConnectionResetError(SECRET), "TARGET_UNAVAILABLE"),
        (TimeoutError(SECRET), "TARGET_UNAVAILABLE"),
        (ReadError(SECRET), "TARGET_UNAVAILABLE"),
        (ValueError(SECRET), "MODEL_FAILED"),
    ],
)
def test_so_does_a_type(error: Exception, reason: str) -> None:
    told = explained(error)
    assert told.reason == reason
    assert SECRET not in told.message


@pytest.mark.parametrize(
    ("header", "told"), [("0", "0"), ("7", "7"), ("3600", "3600"), ("3601", None), ("soon", None), ("-1", None)]
)
def test_a_wait_is_passed_on_where_it_is_a_number_of_seconds_within_an_hour(header: str, told: str | None) -> None:
    metadata = explained(StatusError(429, {"retry-after": header})).metadata
    assert metadata.get("retry_after_seconds") == told


@pytest.mark.parametrize(("code", "shown"), [("model_not_found", True), (f"no {SECRET}", False), ("a" * 41, False)])
def test_the_log_gets_the_words_of_a_machine_only(code: str, shown: bool, caplog: pytest.LogCaptureFixture) -> None:
    explained(StatusError(404, code=code))
    assert "type=StatusError status=404" in caplog.text
    assert (f"code={code}" in caplog.text) is shown
    assert SECRET not in caplog.text


def test_the_log_says_where_it_happened(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        explained(error)
    assert "at=test_failures.py:" in caplog.text


def test_a_key_that_is_gone_makes_the_service_not_ready() -> None:
    told = explained(LoadError("the file is empty: put the key into it"))
    assert (told.reason, told.message) == (
        "TARGET_NOT_READY",
        "The service cannot work: the file is empty: put the key into it.",
    )


def test_what_is_plain_already_stays_as_it_is() -> None:
    plain = ServedError("RATE_LIMITED", "Wait.")
    assert explained(plain) is plain
