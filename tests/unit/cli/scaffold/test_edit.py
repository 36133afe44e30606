"""Additions to YAML keep every line that was there; what cannot be added to safely is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.scaffold.edit import EditError, add, replace

GRANT = {"developer": {"roles": ["developer"], "actions": ["describe", "call"]}}


def test_an_item_goes_behind_the_last_one_and_before_the_comments_that_follow() -> None:
    text = "services:\n  # Tools.\n  - path: a  # the first\n\n  # More:\n  # - path: c\n\npolicy: {path: p}\n"
    assert add(text, ["services"], {"path": "b"}) == (
        "services:\n  # Tools.\n  - path: a  # the first\n  - path: b\n\n  # More:\n  # - path: c\n\npolicy: {path: p}\n"
    )


def test_a_key_goes_behind_the_last_one_in_its_style() -> None:
    text = "grants:\n  a:\n    x: {roles: [r], actions: []}  # kept\n# the end\n"
    assert add(text, ["grants"], GRANT, "b") == (
        "grants:\n  a:\n    x: {roles: [r], actions: []}  # kept\n"
        "  b:\n    developer:\n      roles: [developer]\n      actions: [describe, call]\n# the end\n"
    )


@pytest.mark.parametrize(
    ("text", "path", "after"),
    [
        ("a: [x, y]  # z\n", ["a"], "a: [x, y, new]  # z\n"),
        ("a: []\n", ["a"], "a: [new]\n"),
        ("a: [\n  x,\n  y\n]\n", ["a"], "a: [\n  x,\n  y, new]\n"),
        ("a:\n- x\nb: 1\n", ["a"], "a:\n- x\n- new\nb: 1\n"),
        ("a:\n  - x", ["a"], "a:\n  - x\n  - new\n"),
        ("a:\n  - |\n    x\n\nb: 1\n", ["a"], "a:\n  - |\n    x\n\n  - new\nb: 1\n"),
        ("a:\n  - {x: 1}\n  - y: [1,\n      2]\n", ["a"], "a:\n  - {x: 1}\n  - y: [1,\n      2]\n  - new\n"),
        (
            "r:\n  agent:\n    principals: [x]\n",
            ["r", "agent", "principals"],
            "r:\n  agent:\n    principals: [x, new]\n",
        ),
    ],
)
def test_every_style_of_a_list(text: str, path: list[str], after: str) -> None:
    assert add(text, path, "new") == after


def test_an_empty_mapping_in_braces() -> None:
    assert yaml.safe_load(add("grants: {}\n", ["grants"], GRANT, "a")) == {"grants": {"a": GRANT}}


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("b: 1\n", None, "a is missing or empty"),
        ("a:\n", None, "a is missing or empty"),
        ("a: {x: 1}\n", None, "a is no list"),
        ("a: [x]\n", "b", "a is no mapping"),
        ("a: {b: 1}\n", "b", "a has b already"),
        ("a: [x, ]\n", None, "cannot be added to"),
        ("a: [x  # y\n  ]\n", None, "cannot be added to"),
        ("a: [x\n", None, "no valid YAML"),
        ("", None, "a is missing"),
    ],
)
def test_what_cannot_be_added_to(text: str, key: str | None, why: str) -> None:
    with pytest.raises(EditError, match=why):
        add(text, ["a"], "new", key)


_PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
_VALUES = st.recursive(
    _PLAIN | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_PLAIN, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(_VALUES, max_size=4), st.sampled_from([True, False, None]), _VALUES)
def test_whatever_is_written_is_read_back_with_the_addition_or_refused(items: list[Any], style: Any, new: Any) -> None:
    text = yaml.safe_dump({"a": items, "b": 1}, default_flow_style=style, allow_unicode=True)
    try:
        after = add(text, ["a"], new)
    except EditError:
        return
    assert yaml.safe_load(after) == {"a": [*items, new], "b": 1}


def test_a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("old")
    file.chmod(0o640)
    (tmp_path / "link.yaml").symlink_to(file)
    replace(tmp_path / "link.yaml", "new — äöü\n")
    assert file.read_text() == "new — äöü\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.yaml").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2
