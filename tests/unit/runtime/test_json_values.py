"""JSON that is never another value than the one that went in."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from firebreak_runtime.json_values import JsonError, dumps, dumps_marked, loads, loads_object
from pydantic import BaseModel


class Point(BaseModel):
    x: int


@pytest.mark.parametrize(
    "value", [2**64, {"deep": [float("inf")]}, [None, float("nan")], {1: 2}, "\ud800", object(), Point]
)
def test_what_json_cannot_carry_is_an_error(value: Any) -> None:
    with pytest.raises(JsonError):
        dumps(value)


@pytest.mark.parametrize("value", [None, [None, 1.5], {"a": None}, 2**64 - 1, -(2**63)])
def test_what_it_can_comes_back(value: Any) -> None:
    assert loads(dumps(value)) == value


def test_models_are_objects_and_keys_can_be_sorted() -> None:
    assert dumps(Point(x=1)) == b'{"x":1}'
    assert dumps({"b": 1, "a": 2}, sort=True) == b'{"a":2,"b":1}'


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"18446744073709551616", b"-9223372036854775809", b"[" * 2000])
def test_malformed_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(JsonError):
        loads(data)


def test_long_numbers_that_fit_are_exact() -> None:
    assert loads(b'{"n": 18446744073709551615, "f": 1234567890123456789.5}')["n"] == 2**64 - 1


def test_an_object_is_asked_for() -> None:
    assert loads_object(b"") == {}
    with pytest.raises(JsonError):
        loads_object(b"[]")


def test_marks_stand_for_what_is_left_out() -> None:
    marked = orjson.loads(dumps_marked({"a": object(), 1: {2}, "big": 2**70, "bad": "\ud800", "point": Point(x=1)}))

    assert marked == {
        "a": {"not_json": "builtins.object"},
        "1": [2],
        "big": {"not_json": "builtins.int"},
        "bad": {"not_json": "builtins.str"},
        "point": {"x": 1},
    }
