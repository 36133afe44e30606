"""A package's files become one text, below a revision's own name where two revisions must live side by side."""

from __future__ import annotations

import pytest

from gateway.adapters.policy.problems import BundleError
from gateway.adapters.policy.rego import Module, parse
from gateway.adapters.policy.sources import sources


def module(file: str, text: str) -> Module:
    found = parse(file, text)
    assert isinstance(found, Module), found
    return found


ONE = module(
    "firebreak/main/one.rego", "package firebreak.main\n\nimport data.firebreak.other\n\na := other.f(data.x)\n"
)
TWO = module(
    "firebreak/main/two.rego",
    "# METADATA\n# scope: package\n# title: é data.x\npackage firebreak.main\n\nimport data.firebreak.other\n\n"
    'b := [data["y"], "data.x", `data.y`, input.data] if {\n\ta with data.x as 1\n}\n',
)


def test_one_text_for_each_package():
    (source,) = sources((TWO, ONE))
    assert source.package == "firebreak.main"
    assert source.files == ("firebreak/main/one.rego", "firebreak/main/two.rego")
    assert source.text.count("package firebreak.main") == 1
    assert source.text.count("import data.firebreak.other") == 1
    assert isinstance(parse("merged.rego", source.text), Module)


def test_lines_are_found_again():
    (source,) = sources((ONE, TWO))
    lines = source.text.splitlines()
    assert source.place(lines.index("a := other.f(data.x)") + 1) == ("firebreak/main/one.rego", 5)
    assert source.place(lines.index("\ta with data.x as 1") + 1) == ("firebreak/main/two.rego", 9)
    assert source.place(1) == ("firebreak/main/one.rego", 1)


def test_below_a_name_every_mention_of_data_moves_and_nothing_else():
    (source,) = sources((ONE, TWO), "r1")
    assert source.text.startswith("package r1.firebreak.main\nimport data.r1.firebreak.other\n")
    assert "a := other.f(data.r1.x)" in source.text
    assert 'b := [data.r1["y"], "data.x", `data.y`, input.data] if {' in source.text
    assert "a with data.r1.x as 1" in source.text
    assert source.package == "firebreak.main"


def test_annotations_of_a_file_are_no_annotations_of_the_whole():
    (source,) = sources((ONE, TWO))
    assert "METADATA" not in source.text


def test_two_imports_under_one_name_are_refused():
    other = module("firebreak/main/zwei.rego", "package firebreak.main\n\nimport data.else.other\n\nc := other\n")
    with pytest.raises(BundleError, match=r"firebreak/main/zwei.rego:3: another file of the package imports"):
        sources((ONE, other))


def test_tests_are_a_package_of_their_own():
    test = module("firebreak/main/one_test.rego", "package firebreak.main_test\n\ntest_a if 1 == 1\n")
    assert [(source.package, source.is_test) for source in sources((ONE, test))] == [
        ("firebreak.main", False),
        ("firebreak.main_test", True),
    ]
