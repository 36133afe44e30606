"""CallError to google.rpc.Status and back, within bounds that every client accepts."""

from __future__ import annotations

import pytest
from google.rpc import error_details_pb2, status_pb2

from gateway.errors import CODES, CallError, FieldViolation, Reason
from gateway.wire import DETAILS_KEY, ErrorInfo, finish_of, read_error

CALL = "0" * 32


def unpacked(error: CallError) -> tuple[status_pb2.Status, dict[str, object]]:
    status = status_pb2.Status.FromString(dict(finish_of(error, CALL).trailers)[DETAILS_KEY])  # type: ignore[arg-type]
    found = {}
    for detail in status.details:
        name = detail.TypeName().rpartition(".")[2]
        found[name] = getattr(error_details_pb2, name)()
        assert detail.Unpack(found[name])
    return status, found


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_arrives_with_its_code_and_comes_back(reason: Reason) -> None:
    error = CallError(reason, "do this", metadata={"target": "calculator"})
    finish = finish_of(error, CALL)
    status, found = unpacked(error)
    assert (finish.code, finish.message, finish.reason) == (CODES[reason], "do this", reason.value)
    assert (status.code, status.message) == (int(CODES[reason]), "do this")
    assert list(found) == ["ErrorInfo"]
    assert read_error(finish.trailers) == ErrorInfo(reason.value, "do this", {"call_id": CALL, "target": "calculator"})


@pytest.mark.parametrize(
    ("seconds", "milliseconds"), [(0.0, 0), (0.0001, 1), (1.5, 1500), (-1.0, 0), (1e30, 86_400_000)]
)
def test_retry_after_rounds_up_and_stays_within_reason(seconds: float, milliseconds: int) -> None:
    _, found = unpacked(CallError(Reason.RATE_LIMITED, "wait", retry_after=seconds))
    assert found["RetryInfo"].retry_delay.ToMilliseconds() == milliseconds  # type: ignore[attr-defined]


def test_quota_and_fields_have_details_of_their_own() -> None:
    fields = (FieldViolation("args.a", "is too large"), FieldViolation("args.b", "is missing"))
    _, found = unpacked(CallError(Reason.ARGUMENTS_INVALID, "no", fields=fields, quota="target:x"))
    violations = found["BadRequest"].field_violations  # type: ignore[attr-defined]
    assert [(each.field, each.description) for each in violations] == [
        ("args.a", "is too large"),
        ("args.b", "is missing"),
    ]
    assert found["QuotaFailure"].violations[0].subject == "target:x"  # type: ignore[attr-defined]


def test_what_a_client_gets_fits_its_limit_however_much_there_is_to_say() -> None:
    huge = "ü" * 100_000
    error = CallError(
        Reason.ARGUMENTS_INVALID,
        huge,
        metadata={"field": huge, "rule": huge},
        fields=tuple(FieldViolation(huge, huge) for _ in range(1000)),
        quota=huge,
    )
    finish = finish_of(error, CALL)
    size = len(finish.message.encode()) * 3 + sum(len(value) * 4 // 3 for _, value in finish.trailers)
    assert size < 16_384
    assert unpacked(error)[1]["BadRequest"].field_violations  # type: ignore[attr-defined]


def test_text_that_utf8_cannot_carry_is_replaced() -> None:
    error = CallError(Reason.REQUEST_MALFORMED, "bad \ud800 text", metadata={"field": "a\udfff"})
    assert finish_of(error, CALL).message == "bad ? text"


@pytest.mark.parametrize(
    "trailers",
    [
        (),
        (("x", "y"),),
        ((DETAILS_KEY, b""),),
        ((DETAILS_KEY, b"\xff\xff"),),
        ((DETAILS_KEY, "text"),),
    ],
)
def test_trailers_without_an_error_info_give_none(trailers: tuple[tuple[str, str | bytes], ...]) -> None:
    assert read_error(trailers) is None


def test_another_domains_error_info_is_not_ours() -> None:
    status = status_pb2.Status(code=14)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="X", domain="example.com"))
    assert read_error(((DETAILS_KEY, status.SerializeToString()),)) is None


def test_an_error_info_with_broken_bytes_inside_gives_none() -> None:
    status = status_pb2.Status(code=14)
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff")
    assert read_error(((DETAILS_KEY, status.SerializeToString()),)) is None
