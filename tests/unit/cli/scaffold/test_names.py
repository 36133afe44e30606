"""Names that a service may have, and what its Python objects are called."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.scaffold.names import NewKind, class_name, is_classic, object_name, why_no_version, why_not

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)


@pytest.mark.parametrize("name", ["a", "shout", "word-count", "x2", "a" * 63])
def test_names(name: str) -> None:
    assert why_not(name) == ""


@pytest.mark.parametrize("name", ["", "Shout", "2x", "-a", "a_b", "a.b", "../a", "a/b", "ä", "a\n", "a" * 64])
def test_what_is_no_name(name: str) -> None:
    assert "is no name for a service" in why_not(name)


@pytest.mark.parametrize("name", ["gateway", "egress", "runtime", "generator", "addresses"])
def test_names_that_would_get_in_the_way_of_firebreaks_own(name: str) -> None:
    assert why_not(name).startswith(f"{name} is the name of")


@pytest.mark.parametrize(("version", "right"), [("1.4.7", True), ("0.3.30", True), ("1.0", True), ("1", False)])
def test_versions(version: str, right: bool) -> None:
    assert (why_no_version(version) == "") is right


@pytest.mark.parametrize("version", ["", ">=1", "1.4.7\nother", "1.4.7; x", "latest"])
def test_what_is_no_version(version: str) -> None:
    assert "write it like 1.4.7" in why_no_version(version)


@pytest.mark.parametrize(("version", "classic"), [(None, False), ("0.3.30", True), ("1.0.0", False), ("10.0", False)])
def test_agents_before_langchain_1_are_made_another_way(version: str | None, classic: bool) -> None:
    assert is_classic(version) is classic


@pytest.mark.parametrize(
    ("name", "held"), [("shout", "shout"), ("word-count", "word_count"), ("print", "print_tool"), ("tool", "tool_tool")]
)
def test_objects(name: str, held: str) -> None:
    assert object_name(name, NewKind.TOOL) == held


@given(NAMES, st.sampled_from(NewKind))
def test_every_name_gives_objects_that_python_takes(name: str, kind: NewKind) -> None:
    for held in (object_name(name, kind), class_name(name)):
        assert held.isidentifier()
        assert not keyword.iskeyword(held)
