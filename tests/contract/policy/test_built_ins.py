"""Every built-in that the embedded engine may use answers as OPA does."""

from __future__ import annotations

import json
import subprocess

import pytest
import regorus

from gateway.adapters.policy.built_ins import TESTED

EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "abs": ("abs(-2)", "abs(2.5)"),
    "array.concat": ('array.concat([1], ["b"])',),
    "array.reverse": ("array.reverse([1, 2])",),
    "array.slice": ("array.slice([1, 2, 3], 1, 9)", "array.slice([1, 2, 3], -1, 2)"),
    "base64.decode": ('base64.decode("w6k=")',),
    "base64.encode": ('base64.encode("é")',),
    "base64.is_valid": ('base64.is_valid("w6k=")', 'base64.is_valid("!")'),
    "base64url.decode": ('base64url.decode("_-8")', 'base64url.decode("YQ==")'),
    "base64url.encode": ('base64url.encode("é?")',),
    "ceil": ("ceil(1.2)", "ceil(-1.2)"),
    "concat": ('concat(",", ["a", "b"])', 'concat(",", {"b", "a"})'),
    "contains": ('contains("abc", "bc")', 'contains("abc", "")', 'contains("abc", "x")'),
    "count": ('count("éa")', "count([1, 1])", "count({1, 1})", 'count({"a": 1})'),
    "endswith": ('endswith("abc", "bc")',),
    "floor": ("floor(1.9)", "floor(-1.2)", "floor(9007199254740993)"),
    "format_int": ("format_int(255, 16)",),
    "glob.match": (
        'glob.match("a.*.c", ["."], "a.b.c")',
        'glob.match("a.*.c", ["."], "a.b.b.c")',
        'glob.match("a.**", ["."], "a.b.c")',
    ),
    "graph.reachable": ('graph.reachable({"a": ["b"], "b": ["c"], "c": [], "d": []}, ["a"])',),
    "hex.decode": ('hex.decode("c3a9")',),
    "hex.encode": ('hex.encode("é")',),
    "indexof": ('indexof("abc", "c")', 'indexof("aéc", "c")', 'indexof("abc", "x")'),
    "intersection": ("intersection({{1, 2}, {2, 3}})",),
    "is_array": ("is_array([])", "is_array({})"),
    "is_boolean": ("is_boolean(false)", "is_boolean(0)"),
    "is_null": ("is_null(null)", "is_null(0)"),
    "is_number": ("is_number(1.5)", 'is_number("1")'),
    "is_object": ("is_object({})", "is_object(set())"),
    "is_set": ("is_set(set())", "is_set([])"),
    "is_string": ('is_string("")', "is_string(1)"),
    "json.filter": ('json.filter({"a": {"b": 1, "c": 2}}, ["a/b"])',),
    "json.is_valid": ('json.is_valid("{}")', 'json.is_valid("{")'),
    "json.marshal": ('json.marshal({"b": [1, 2.5, null, "é"], "a": true})', "json.marshal(0.1)"),
    "json.remove": ('json.remove({"a": {"b": 1, "c": 2}}, ["a/b"])',),
    "json.unmarshal": ('json.unmarshal("{\\"a\\": [1, 9007199254740993]}")',),
    "lower": ('lower("ÀB")',),
    "max": ("max([1, 3, 2])", 'max({"a", "b"})'),
    "min": ("min([3, 1, 2])", "min({1.5, 1})"),
    "net.cidr_contains": ('net.cidr_contains("10.0.0.0/8", "10.1.2.3")', 'net.cidr_contains("10.0.0.0/8", "11.1.2.3")'),
    "numbers.range": ("numbers.range(1, 3)", "numbers.range(3, 1)"),
    "object.filter": ('object.filter({"a": 1, "b": 2}, ["a"])',),
    "object.get": ('object.get({"a": {"b": null}}, ["a", "b"], 1)', 'object.get({}, ["a", "b"], 7)'),
    "object.keys": ('object.keys({"a": 1, "b": 2})',),
    "object.remove": ('object.remove({"a": 1, "b": 2}, ["a"])',),
    "object.subset": ('object.subset({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}})', 'object.subset({"a": 1}, {"b": 1})'),
    "object.union": ('object.union({"a": {"b": 1}}, {"a": {"c": 2}})', 'object.union({"a": [1]}, {"a": [2]})'),
    "object.union_n": ('object.union_n([{"a": 1}, {"a": 2}, {"b": 3}])',),
    "product": ("product([2, 3])", "product([])"),
    "regex.is_valid": ('regex.is_valid("(")', 'regex.is_valid("[a-z]+")'),
    "regex.match": (r"regex.match(`\A(?:a|b)\z`, "'"ab")', r"regex.match(`^\d+$`, "'"12")', r"regex.match(`^a$`, "'"a\\n")'),
    "regex.replace": ('regex.replace("a1b2", "[0-9]", "x")',),
    "regex.split": ('regex.split("[,;]", "a,b;c")',),
    "replace": ('replace("aaa", "a", "b")',),
    "round": ("round(1.5)", "round(-1.5)", "round(2.4)"),
    "semver.compare": ('semver.compare("1.2.3", "1.10.0")', 'semver.compare("1.0.0-a", "1.0.0")'),
    "semver.is_valid": ('semver.is_valid("1.2.3")', 'semver.is_valid("1.2")'),
    "sort": ('sort(["b", "a"])', "sort({3, 1})", 'sort([1, "a", null, true, [1], {"a": 1}])'),
    "split": ('split("a.b.c", ".")', 'split("", ".")'),
    "sprintf": ('sprintf("%s %d %v", ["a", 1, ["x", null]])', 'sprintf("%4d|%s", [7, "é"])'),
    "startswith": ('startswith("abc", "ab")', 'startswith("abc", "")'),
    "strings.any_prefix_match": ('strings.any_prefix_match("abc", ["x", "ab"])',),
    "strings.any_suffix_match": ('strings.any_suffix_match("abc", ["x", "bc"])',),
    "strings.count": ('strings.count("banana", "an")',),
    "strings.replace_n": ('strings.replace_n({"a": "b", "c": "d"}, "ac")',),
    "strings.reverse": ('strings.reverse("aé")',),
    "substring": ('substring("aéc", 1, 1)', 'substring("abc", 1, -1)'),
    "sum": ("sum([1, 2.5])", "sum([])"),
    "time.clock": ("time.clock(1700000000000000000)",),
    "time.date": ("time.date(1700000000000000000)",),
    "time.now_ns": ("time.now_ns() > 1700000000000000000",),
    "time.parse_duration_ns": ('time.parse_duration_ns("1h30m")',),
    "time.parse_rfc3339_ns": ('time.parse_rfc3339_ns("2026-01-31T12:00:00Z")',),
    "time.weekday": ("time.weekday(1700000000000000000)",),
    "trim": ('trim("xxaxx", "x")',),
    "trim_left": ('trim_left("xxax", "x")',),
    "trim_prefix": ('trim_prefix("xxa", "x")',),
    "trim_right": ('trim_right("axx", "x")',),
    "trim_space": ('trim_space(" a\\t\\n")',),
    "trim_suffix": ('trim_suffix("axx", "x")',),
    "type_name": ("type_name(set())", "type_name(1)", "type_name(null)", 'type_name({"a": 1})'),
    "union": ("union({{1}, {2}})",),
    "units.parse_bytes": ('units.parse_bytes("1KiB")', 'units.parse_bytes("2MB")'),
    "walk": ('[p | walk({"a": [1, {"b": 2}]}, [p, _])]', 'count([v | walk([1, [2]], [_, v])])'),
}  # fmt: skip


def embedded(expression: str) -> object:
    engine = regorus.Engine()
    engine.add_policy("a.rego", f"package a\n\nx := json.marshal({expression})\n")
    engine.set_input_json("{}")
    return json.loads(engine.eval_rule("data.a.x"))


@pytest.fixture(scope="module")
def answers(opa: str) -> dict[str, object]:
    """What OPA says to every expression, in one run."""
    expressions = [expression for several in EXPRESSIONS.values() for expression in several]
    query = f"[{', '.join(f'json.marshal({expression})' for expression in expressions)}]"
    result = subprocess.run(
        [opa, "eval", "--format", "values", "--stdin-input", query],
        input="{}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return dict(zip(expressions, map(json.loads, json.loads(result.stdout)[0]), strict=True))


def test_every_one_is_looked_at():
    assert set(EXPRESSIONS) == TESTED
    assert all(name in expression for name, several in EXPRESSIONS.items() for expression in several)


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_answers_as_opa(name: str, answers: dict[str, object]):
    for expression in EXPRESSIONS[name]:
        assert embedded(expression) == answers[expression], expression
