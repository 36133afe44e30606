"""Any bytes: parse_object answers what another strict parser would, or refuses with the field's name."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.arguments import has_control, parse_object
from gateway.errors import CallError, Reason

names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp")), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(names, children, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(names, values, max_size=5)


@given(objects, st.booleans(), st.sampled_from([None, 2]))
def test_every_well_formed_object_is_read_as_it_was_meant(
    value: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode(), "args") == value


@given(st.binary(max_size=200) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"{}")
@example(b'{"a":1e999}')
def test_any_bytes_give_an_object_or_a_refusal(data: bytes) -> None:
    try:
        value = parse_object(data, "args")
    except CallError as error:
        assert error.reason is Reason.ARGUMENTS_INVALID
        assert error.fields[0].field == "args"
        assert not has_control(error.message)
    else:
        assert value == json.loads(data)


@given(objects.filter(bool), values)
def test_a_name_given_twice_is_always_refused(value: dict[str, Any], again: Any) -> None:
    name = next(iter(value))
    text = json.dumps(value)[:-1] + f", {json.dumps(name)}: {json.dumps(again)}}}"
    try:
        parse_object(text.encode(), "args")
    except CallError as error:
        assert "twice" in error.message
    else:
        raise AssertionError("a repeated name was accepted")


@given(st.integers(2**64, 2**900) | st.integers(-(2**900), -(2**63) - 1), st.integers(0, 5))
def test_an_integer_beyond_64_bits_is_refused_at_any_depth(number: int, depth: int) -> None:
    text = '{"a":' * depth + f'{{"n":{number}}}' + "}" * depth
    try:
        parse_object(text.encode(), "args")
    except CallError as error:
        assert "64 bits" in error.message
    else:
        raise AssertionError("an integer beyond 64 bits was accepted")
