"""Reads policy data strictly: one meaning in every YAML reader, no key twice, and a line for every value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from gateway.adapters.policy.problems import Problem

Path = tuple[str | int, ...]
"""Keys and list indexes from the root of the data to a value."""

Lines = dict[Path, tuple[str, int]]
"""File and line of each value."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_QUOTED = ("'", '"', "|", ">")
_INT = re.compile(r"-?(0|[1-9]\d*)")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)\.\d+")
_TAG = "tag:yaml.org,2002:"
_QUOTE = "readers of YAML disagree about {value!r}: put it in quotes, or write a plain number, true, false or null"


class _Wrong(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


def read_data(name: str, text: str) -> tuple[Any, Lines, list[Problem]]:
    """The value of a .yaml or .json file, where each part of it stands, and what is wrong; the value is None if anything is."""
    lines: Lines = {}
    try:
        value = _from_json(text) if name.endswith(".json") else _from_yaml(name, text, lines)
    except _Wrong as wrong:
        return None, {}, [Problem(name, wrong.line, wrong.text)]
    return value, lines, []


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_bounded)
    except json.JSONDecodeError as error:
        raise _Wrong(error.lineno, f"not valid JSON: {error.msg}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = sorted({key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1})
        raise _Wrong(0, f"key written twice: {', '.join(twice)}")
    return found


def _no_constant(name: str) -> Any:
    raise _Wrong(0, f"{name} is no JSON value")


def _bounded(text: str) -> int:
    number = int(text) if len(text) < 21 else 2**64
    if not -(2**63) <= number < 2**63:
        raise _Wrong(0, "an integer does not fit into 64 bits")
    return number


def _from_yaml(name: str, text: str, lines: Lines) -> Any:
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            _refuse(event)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Wrong(mark.line + 1 if mark else 0, f"not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise _Wrong(0, f"not valid YAML: {str(error).splitlines()[0]}") from None
    if node is None:
        raise _Wrong(1, "the file is empty")
    return _value(name, node, (), lines)


def _refuse(event: Any) -> None:
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _Wrong(line, "anchors and aliases are not taken: write the value out")
    if getattr(event, "tag", None):
        raise _Wrong(line, "tags are not taken")


def _value(name: str, node: Any, path: Path, lines: Lines) -> Any:
    lines[path] = (name, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return {key: _value(name, item, (*path, key), lines) for key, item in _items(node)}
    if isinstance(node, yaml.SequenceNode):
        return [_value(name, item, (*path, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node)


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key, item in node.value:
        line = key.start_mark.line + 1
        word = _scalar(key) if isinstance(key, yaml.ScalarNode) else None
        if not isinstance(word, str):
            raise _Wrong(line, "a key is a text: put it in quotes")
        if word in seen:
            raise _Wrong(line, f"key written twice: {word}")
        seen.add(word)
        yield word, item


def _scalar(node: Any) -> Any:
    text, kind = node.value, node.tag.removeprefix(_TAG)
    if node.style in _QUOTED or (kind == "str" and not _numeric(text)):
        return text
    if kind == "null" and text in ("", "null"):
        return None
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    line = node.start_mark.line + 1
    if kind == "int" and _INT.fullmatch(text):
        try:
            return _bounded(text)
        except _Wrong as wrong:
            raise _Wrong(line, wrong.text) from None
    if kind == "float" and _FLOAT.fullmatch(text):
        return float(text)
    raise _Wrong(line, _QUOTE.format(value=text))


def _numeric(text: str) -> bool:
    """Whether another YAML reader could take a plain text for a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
