"""One Rego file is read into what the gateway must know of it."""

from __future__ import annotations

import pytest

from gateway.adapters.policy.problems import Problem
from gateway.adapters.policy.rego import Module, Named, parse

TEXT = """# é: bytes are not characters
package firebreak.main

import data.firebreak.other
import data.firebreak.long as short
import input.call as c

a contains x if some x in data.list

f(x) := other.g(short.h(count(x)), c.y)

default d := "data"

test_d if d == data.expected.d
"""


def read(text: str, file: str = "firebreak/main/a.rego") -> Module:
    module = parse(file, text)
    assert isinstance(module, Module)
    return module


def test_what_is_read():
    module = read(TEXT)
    assert module.package == "firebreak.main"
    assert [rule.name for rule in module.rules] == ["a", "f", "d", "test_d"]
    assert set(module.calls) == {
        Named("data.firebreak.other.g", 10),
        Named("data.firebreak.long.h", 10),
        Named("count", 10),
    }
    assert [item.alias for item in module.imports] == ["other", "short", "c"]
    source = TEXT.encode()
    assert all(source[at : at + 4] == b"data" for at in module.roots)
    assert len(module.roots) == 4, "two imports and two rules; the text in quotes is no mention"


def test_tests_are_only_in_test_files():
    assert read(TEXT).tests == ()
    assert read(TEXT, "firebreak/main/a_test.rego").tests == (Named("test_d", 14),)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("package a\n\nb := 1 if {\n", 4),
        ("package a\nb := = 1\n", 2),
        ("hello\n", 1),
        ("package a\n\nd { true }\n", 3),
        ("", 1),
    ],
)
def test_errors_have_a_place(text: str, line: int):
    problem = parse("firebreak/x.rego", text)
    assert isinstance(problem, Problem)
    assert (problem.file, problem.line) == ("firebreak/x.rego", line)
    assert "unknown>" not in problem.text, "the interpreter's stack trace stays out"


def test_a_package_with_a_computed_name_is_refused():
    problem = parse("x/a.rego", 'package a["b-c"]\n')
    assert isinstance(problem, Problem)
    assert problem.line == 1
