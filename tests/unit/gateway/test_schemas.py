"""Arguments are held to the schema that the tool described; violations name the field and never the value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import FieldViolation
from gateway.schemas import MAX_VIOLATIONS, SchemaError, Schemas
from gateway.targets import Target
from tests.unit.gateway.chain_fakes import description, target

NESTED = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "maxLength": 3, "pattern": "^[a-z]*$"},
        "limits": {"type": "array", "items": {"type": "integer", "minimum": 3}},
        "mode": {"enum": ["fast", "slow"]},
    },
    "required": ["query"],
    "additionalProperties": False,
}


def tool(schema: Any) -> Target:
    return replace(target(), description=description(schema))


def violations(schema: Any, args: dict[str, Any], injected: tuple[str, ...] = ()) -> tuple[FieldViolation, ...]:
    return Schemas().violations(tool(schema), args, injected)


def test_arguments_that_fit_have_no_violations() -> None:
    assert violations(NESTED, {"query": "abc", "limits": [3, 4], "mode": "fast"}) == ()


@pytest.mark.parametrize(
    ("args", "field", "said"),
    [
        ({}, "args.query", "is missing"),
        ({"query": 1}, "args.query", 'not of type "string"'),
        ({"query": "SECRET"}, "args.query", "the value"),
        ({"query": "a", "limits": [3, "SECRET"]}, "args.limits[1]", 'not of type "integer"'),
        ({"query": "a", "limits": [2]}, "args.limits[0]", "less than the minimum of 3"),
        ({"query": "a", "mode": "SECRET"}, "args.mode", "the value is not one of"),
        ({"query": "a", "other": "SECRET"}, "args.other", "is not an argument"),
    ],
)
def test_a_violation_names_the_field_and_not_the_value(args: dict[str, Any], field: str, said: str) -> None:
    found = violations(NESTED, args)
    assert found[0].field == field
    assert said in found[0].description
    assert "SECRET" not in str(found)


def test_violations_are_bounded() -> None:
    assert len(violations(NESTED, {"query": "a", "limits": [0] * 500})) == MAX_VIOLATIONS


def test_an_injected_argument_must_not_replace_one_that_policy_saw() -> None:
    assert violations(NESTED, {"query": "a"}, ("state",)) == ()
    assert violations(NESTED, {"query": "a"}, ("query",))[0].field == "call.injected_json.query"


def test_a_target_without_a_schema_takes_what_it_gets() -> None:
    assert Schemas().violations(replace(target(), description=None), {"x": 1}, ()) == ()
    assert violations(None, {"x": 1}) == ()


@pytest.mark.parametrize(
    "schema",
    [{"type": "nonsense"}, {"$ref": "http://127.0.0.1:9/x.json"}, {"$ref": "file:///etc/hostname"}, {"pattern": "("}],
)
def test_a_schema_that_is_none_or_leaves_itself_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        violations(schema, {"x": 1})


def test_a_pattern_that_backtracks_for_ever_is_cut_off() -> None:
    schema = {"properties": {"x": {"pattern": r"^(a|aa)*\1$(?<!b)"}}}
    assert violations(schema, {"x": "a" * 5000 + "c"})[0].field == "args.x"


def test_a_new_description_brings_a_new_schema() -> None:
    schemas = Schemas()
    assert schemas.violations(tool({"required": ["a"]}), {}, ())[0].field == "args.a"
    assert schemas.violations(tool({"required": ["b"]}), {}, ())[0].field == "args.b"
