"""Policy data are read with one meaning, or refused with the line that is ambiguous."""

from __future__ import annotations

import pytest

from gateway.adapters.policy.data_files import read_data


def test_yaml_values_and_their_lines():
    text = 'a:\n  b: [1, "no", true]\n  c: null\n  d: -2.5\n  e: text with words\n'
    value, lines, problems = read_data("data/x.yaml", text)
    assert problems == []
    assert value == {"a": {"b": [1, "no", True], "c": None, "d": -2.5, "e": "text with words"}}
    assert lines[("a", "b", 1)] == ("data/x.yaml", 2)
    assert lines[("a", "e")] == ("data/x.yaml", 5)


def test_json_values():
    value, _, problems = read_data("data/x.json", '{"a": [1, "no", null]}')
    assert (value, problems) == ({"a": [1, "no", None]}, [])


@pytest.mark.parametrize(
    "word",
    ["yes", "no", "on", "Off", "True", "~", "0x1F", "017", "1_000", "1e3", "12:30:45", "2026-01-31", ".inf", "+1"],
)
def test_words_that_yaml_readers_disagree_about(word: str):
    value, _, problems = read_data("data/x.yaml", f"a: 1\nb: {word}\n")
    assert value is None
    assert problems[0].line == 2
    assert "put it in quotes" in problems[0].text


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\na: 2\n", 2, "written twice: a"),
        ("a: &x 1\n", 1, "anchors"),
        ("a: 1\nb: *x\n", 2, "anchors"),
        ("a: !!int 1\n", 1, "tags"),
        ("a: [1\n", 2, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("1: a\n", 1, "a key is a text"),
        ("? [a]\n: 1\n", 1, "a key is a text"),
        ("a: 1\nb: 9223372036854775808\n", 2, "64 bits"),
        ("", 1, "empty"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("a: \x00\n", 0, "not valid YAML"),
    ],
)
def test_yaml_that_is_refused(text: str, line: int, words: str):
    value, _, problems = read_data("data/x.yaml", text)
    assert value is None
    assert words in problems[0].text
    assert problems[0].line == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "written twice: a"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 9223372036854775808}', "64 bits"),
        ('{"a": 1' + "0" * 50 + "}", "64 bits"),
        ('{"a": }', "not valid JSON"),
    ],
)
def test_json_that_is_refused(text: str, words: str):
    value, _, problems = read_data("data/x.json", text)
    assert value is None
    assert words in problems[0].text
