"""Strict JSON: what is refused, with which field, and that no value is repeated to the caller."""

from __future__ import annotations

import pytest

from gateway.arguments import MAX_DEPTH, parse_object, shown
from gateway.errors import CallError, Reason


def refusal(data: bytes) -> CallError:
    with pytest.raises(CallError) as caught:
        parse_object(data, "args")
    return caught.value


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"{", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": NaN}', "not valid JSON"),
        (b'{"a": Infinity}', "not valid JSON"),
        (b'{"a": 1e400}', "not valid JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a": 1} {}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a": "\xff"}', "not valid UTF-8 at byte 8"),
        (b'{"a": "\xed\xa0\x80"}', "not valid UTF-8"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b'{"a": 1, "a": 2}', 'has the name "a" twice'),
        (b'{"x": [{"b": 1, "\\u0062": 2}]}', 'has the name "b" twice'),
        (b'{"a\\u0000b": 1}', "control character in the name"),
        (b'{"x": {"\\u202e": 1}}', "control character in the name"),
    ],
)
def test_what_is_no_well_formed_object_is_refused(data: bytes, said: str) -> None:
    error = refusal(data)
    assert error.reason is Reason.ARGUMENTS_INVALID
    assert [violation.field for violation in error.fields] == ["args"]
    assert said in error.message
    assert said in error.fields[0].description


@pytest.mark.parametrize("digits", [str(2**64), str(-(2**63) - 1), "1" + "0" * 30, "-1" + "0" * 300])
def test_integers_beyond_64_bits_are_refused_and_not_rounded(digits: str) -> None:
    error = refusal(b'{"n": [%s]}' % digits.encode())
    assert "beyond 64 bits" in error.message
    assert digits not in error.message


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 2**53 + 1, 0])
def test_integers_within_64_bits_stay_exact(number: int) -> None:
    assert parse_object(b'{"n": %d}' % number, "args") == {"n": number}


def test_depth_is_counted_from_the_outer_object() -> None:
    deepest = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert parse_object(deepest, "args")
    assert "levels deep" in refusal(b'{"a":' + deepest + b"}").message
    assert "levels deep" in refusal(b'{"a":' + b"[" * 500 + b"]" * 500 + b"}").message


def test_nesting_beyond_every_parser_is_refused_too() -> None:
    assert refusal(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}").reason is Reason.ARGUMENTS_INVALID


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert parse_object(b'{"a": [' + b",".join([b"{}"] * 500) + b"]}", "args") == {"a": [{}] * 500}


def test_brackets_inside_text_do_not_nest() -> None:
    assert parse_object(b'{"a": "' + b"[" * 500 + b'"}', "args") == {"a": "[" * 500}


def test_no_value_is_repeated_in_an_error() -> None:
    for data in (b'{"a": "SECRET", "a": 1}', b'{"a": SECRET}', b'{"n": 99999999999999999999, "k": "SECRET"}'):
        error = refusal(data)
        assert "SECRET" not in error.message + error.fields[0].description


def test_reason_and_field_are_the_callers_choice() -> None:
    with pytest.raises(CallError) as caught:
        parse_object(b"[]", "input.state_json", Reason.REQUEST_MALFORMED)
    assert caught.value.reason is Reason.REQUEST_MALFORMED
    assert caught.value.fields[0].field == "input.state_json"


def test_a_shown_name_is_short_and_has_no_control_characters() -> None:
    assert shown("a\n\x1b[31m" + "x" * 100) == "a??[31m" + "x" * 57
