"""Values are read by Helm as they were meant."""

from __future__ import annotations

import pytest
import yaml

from cli.chart.text import Section, as_text, nested, own


@pytest.mark.parametrize("text", ["1e3", "0o17", "1.0", "y", "No", "on", "", "12", "~", "true", "0x1f", "1_000", "+.5"])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    written = as_text([Section("key", text)])
    assert written.strip() in (f'key: "{text}"', f"key: '{text}'")


@pytest.mark.parametrize("text", ["5s", "256MiB", "1.0.0", "a b", "service:web-fetch"])
def test_other_text_is_plain(text: str) -> None:
    assert as_text([Section("key", text)]) == f"key: {text}\n"


@pytest.mark.parametrize(
    "text", ["package a\n\nx if {\n\ty\n}\n", "\ta\nb\n", "a \nb\n", "a\r\nb\r\n", "no end\nof line", "\n"]
)
def test_texts_of_several_lines_stay_as_they_are(text: str) -> None:
    sections = [Section("files", {"a/b.rego": text})]
    assert yaml.safe_load(as_text(sections)) == {"files": {"a/b.rego": text}}
    assert yaml.safe_load(nested("gateway", sections)) == {"gateway": {"files": {"a/b.rego": text}}}


def test_rego_can_be_read() -> None:
    written = as_text([Section("files", {"a/b.rego": "package a\n\nx if {\n\ty\n}\n"})])
    assert written == "files:\n  a/b.rego: |\n    package a\n\n    x if {\n    \ty\n    }\n"


def test_order_and_comments_are_kept() -> None:
    written = as_text([Section("b", {"z": 1, "a": [1]}, "Two\nlines."), Section("a", [])])
    assert written == "# Two\n# lines.\nb:\n  z: 1\n  a:\n    - 1\n\na: []\n"


def test_a_value_that_is_there_twice_is_written_twice() -> None:
    shared = [1]
    assert as_text([Section("a", {"b": shared, "c": shared})]) == "a:\n  b:\n    - 1\n  c:\n    - 1\n"


def test_what_is_not_derived_is_somebodys_own() -> None:
    assert own({"replicas": 3, "service": {}}, frozenset({"service"})) == [Section("replicas", 3)]
