"""YAML that remembers its lines: plain values, and for each path in them the line where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]
"""Where a value stands: mapping keys and list positions from the root, e.g. ("services", 0, "path")."""

_DEPTH = 32


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file. `line` counts from 1; `key` is the dotted path of the value at fault."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.file}:{self.line}: {key}{self.message}"


@dataclass(slots=True)
class Document:
    """One YAML file: its `value`, the line of each path in it, and what is wrong with it as YAML."""

    file: str
    value: Any = None
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, key: Key, message: str) -> Problem:
        """A problem at `key`, or at the nearest part of it that the file has."""
        return Problem(self.file, self.line(key), dotted(key), message)

    def line(self, key: Key) -> int:
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def dotted(key: Key) -> str:
    """A path as people write it: services[0].path."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read(path: Path, shown: str) -> Document:
    """The YAML file at `path`; problems name it `shown`. Never raises for what the file contains."""
    document = Document(shown)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        document.problems.append(Problem(shown, 1, "", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError:
        document.problems.append(Problem(shown, 1, "", "is not UTF-8 text"))
    except yaml.YAMLError as error:
        document.problems.append(_syntax(shown, error))
    else:
        if node is None:
            document.problems.append(Problem(shown, 1, "", "is empty"))
        else:
            document.value = _value(node, (), document)
    return document


class _Loader(yaml.SafeLoader):
    """Without anchors: a file says what it means where it says it, and cannot grow while it is read."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _syntax(shown: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or "is no valid YAML"
    return Problem(shown, mark.line + 1 if mark else 1, "", f"YAML: {message}")


def _value(node: yaml.Node, key: Key, document: Document) -> Any:
    document.lines.setdefault(key, node.start_mark.line + 1)
    if len(key) > _DEPTH:
        document.problems.append(document.problem(key, f"is nested more than {_DEPTH} levels deep"))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, key, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*key, index), document) for index, item in enumerate(node.value)]
    return _scalar(node, key, document)


def _mapping(node: yaml.MappingNode, key: Key, document: Document) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        line = key_node.start_mark.line + 1
        if name is None:
            document.problems.append(Problem(document.file, line, dotted(key), "has a key that is no plain text"))
        elif name in values:
            first = document.lines[(*key, name)]
            path = dotted((*key, name))
            document.problems.append(Problem(document.file, line, path, f"is given twice; first on line {first}"))
        else:
            document.lines[(*key, name)] = line
            values[name] = _value(value_node, (*key, name), document)
    return values


def _scalar(node: yaml.Node, key: Key, document: Document) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError):
        document.problems.append(document.problem(key, f"is no valid value for {node.tag}"))
        return None
