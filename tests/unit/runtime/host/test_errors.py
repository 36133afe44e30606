"""Errors: safe text, bounded size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from firebreak_runtime import errors
from firebreak_runtime.cause import failure, printable, safe_cause
from firebreak_runtime.errors import LoadError, ServedError, decode_error, encode_error
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.status import details_of
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(max_size=100)


def test_an_unknown_reason_cannot_be_raised() -> None:
    with pytest.raises(ValueError, match="HAMMER"):
        ServedError("HAMMER", "x")


@given(
    message=TEXT,
    metadata=st.dictionaries(TEXT, TEXT, max_size=3),
    fields=st.lists(st.tuples(TEXT, TEXT), max_size=3),
    log=TEXT,
)
def test_an_error_crosses_from_worker_to_host(
    message: str, metadata: dict[str, str], fields: list[tuple[str, str]], log: str
) -> None:
    error, text = decode_error(
        encode_error(ServedError("INTERNAL", message, metadata=metadata, fields=tuple(fields)), log)
    )
    assert (error.reason, error.message, error.metadata, list(error.fields), text) == (
        "INTERNAL", message, metadata, fields, log,
    )  # fmt: skip


@pytest.mark.parametrize("size", [10, 100_000])
def test_an_encoded_error_is_bounded(size: int) -> None:
    wild = "\x00" * size
    fields = tuple((wild, wild) for _ in range(20))
    payload = encode_error(ServedError("INTERNAL", wild, metadata={wild: wild}, fields=fields), wild)
    assert len(payload) <= errors.PAYLOAD_LIMIT
    assert decode_error(payload)[0].reason == "INTERNAL"


def test_lone_surrogates_do_not_stop_an_error() -> None:
    assert decode_error(encode_error(ServedError("INTERNAL", "\ud800"), "\ud800"))[0].message == "?"


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{}", b'{"reason": "HAMMER", "message": ""}', b'{"reason": "INTERNAL", "message": 1}', b"\xff",
     b'{"reason": "INTERNAL", "message": "", "fields": [["a"]]}'],
)  # fmt: skip
def test_an_error_that_a_worker_made_up_is_refused(payload: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        decode_error(payload)


def test_details_hold_one_error_info_and_a_bad_request() -> None:
    status = status_pb2.Status.FromString(
        details_of(
            ServedError("ARGUMENTS_INVALID", "no", metadata={"target": "mine"}, fields=(("args.n", "is wrong"),))
        )
    )
    info, wrong = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(wrong)
    assert (status.code, info.reason, info.domain, dict(info.metadata)) == (
        3, "ARGUMENTS_INVALID", "firebreak.dev", {"target": "mine"},
    )  # fmt: skip
    assert wrong.field_violations[0].field == "args.n"


def test_details_fit_into_what_clients_take() -> None:
    huge = "x" * 10_000
    error = ServedError(
        "INTERNAL", huge, metadata={str(n) + huge: huge for n in range(50)}, fields=((huge, huge),) * 50
    )
    assert len(details_of(error)) < 12_000


def _caught(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ImportError("cannot import 'X' from 'a.b' (/opt/lib/a/b.py)"), "ImportError: cannot import 'X' from 'a.b' (b.py)"),
        (ModuleNotFoundError("No module named 'x'"), "ModuleNotFoundError: No module named 'x'"),
        (AttributeError("'a' has no attribute 'b'\nsecond line"), "AttributeError: 'a' has no attribute 'b'"),
        (LoadError("the entrypoint is no tool"), "the entrypoint is no tool"),
        (ServedError("TARGET_NOT_READY", "no model"), "no model"),
    ],
)  # fmt: skip
def test_what_python_says_of_names_is_shown_without_folders(error: BaseException, cause: str) -> None:
    assert safe_cause(_caught(error)) == cause


@pytest.mark.parametrize(
    "error", [ValueError("hunter2"), KeyError("hunter2"), OSError("hunter2"), SystemExit("hunter2")]
)
def test_any_other_text_stays_in_the_log(error: BaseException) -> None:
    cause = safe_cause(_caught(error))
    assert "hunter2" not in cause
    assert f"{type(error).__name__} in test_errors.py:" in cause


@given(text=st.text(max_size=1000))
def test_a_cause_is_one_printable_short_line(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) <= 300


@pytest.mark.parametrize(
    ("kind", "reason"), [("agent", "AGENT_FAILED"), ("model", "MODEL_FAILED"), ("tool", "INTERNAL")]
)
def test_an_unknown_exception_gets_a_correlation_id(kind: str, reason: str) -> None:
    service = ServiceFile(Path("x"), "mine", kind, "1.0.0", "a:b")
    error, log = failure(_caught(RuntimeError("hunter2")), service)
    assert error.reason == reason
    assert "hunter2" not in error.message + json.dumps(error.metadata)
    assert error.metadata["correlation_id"] in error.message
    assert "RuntimeError: hunter2" in log


def test_a_stated_error_is_passed_on_as_it_is() -> None:
    stated = ServedError("ARGUMENTS_INVALID", "x")
    assert failure(stated, ServiceFile(Path("x"), "mine", "tool", "1.0.0", "a:b")) == (stated, "")
