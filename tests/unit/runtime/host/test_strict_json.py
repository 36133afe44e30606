"""JSON of strangers."""

from __future__ import annotations

import json

import pytest
from firebreak_runtime.strict_json import StrictJsonError, read_object
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(value=st.dictionaries(st.text(), VALUES, max_size=5))
def test_what_json_can_carry_arrives_unchanged(value: dict[str, object]) -> None:
    assert read_object(json.dumps(value).encode()) == value


@given(data=st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_stated_error(data: bytes) -> None:
    try:
        assert isinstance(read_object(data), dict)
    except StrictJsonError as error:
        assert "Traceback" not in str(error)


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "is empty"),
        (b"{", "not well-formed"),
        (b"{} {}", "not well-formed"),
        (b"[1]", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b'{"a": NaN}', "not well-formed"),
        (b'{"a": Infinity}', "not well-formed"),
        (b'{"a": 1e999}', "not well-formed"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not well-formed"),
        (b'{"a": "\xff"}', "not well-formed"),
        (b'\xef\xbb\xbf{"a": 1}', "not well-formed"),
        (b'{"a": "\\ud800"}', "not well-formed"),
        (b'{"a": 1, "a": 2}', "has a name twice"),
        (b'{"b": {"a": 1, "\\u0061": 2}}', "has a name twice"),
        (b'{"a": 18446744073709551616}', "beyond 64 bits"),
        (b'{"a": -9223372036854775809}', "beyond 64 bits"),
        (b'{"a": ' + b"9" * 300 + b"}", "beyond 64 bits"),
        (b'{"a": ' * 65 + b"1" + b"}" * 65, "more than 64 levels"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "more than 64 levels"),
        (b"[" * 100_000, "not well-formed"),
    ],
)
def test_what_parsers_disagree_about_is_refused(data: bytes, wrong: str) -> None:
    with pytest.raises(StrictJsonError, match=wrong):
        read_object(data)


def test_the_limits_themselves_are_allowed() -> None:
    deep = b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}"
    assert "a" in read_object(deep)
    assert read_object(b'{"a": 18446744073709551615, "b": -9223372036854775808}') == {"a": 2**64 - 1, "b": -(2**63)}
    assert read_object(b'{"a": [' + b"[]," * 200 + b"[]]}")["a"][200] == []


def test_the_error_holds_nothing_of_the_value() -> None:
    with pytest.raises(StrictJsonError) as error:
        read_object(b'{"password": hunter2}')
    assert "hunter2" not in str(error.value)
    assert "password" not in str(error.value)
