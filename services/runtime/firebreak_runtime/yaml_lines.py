"""YAML with line numbers: every value knows where it stands, and problems are collected instead of raised one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import yaml

T = TypeVar("T")
REQUIRED: Any = object()


class Sections:
    """A YAML document of nested mappings, read key by key.

    `problems` are lines such as "service.yaml:3: runtime.workers: must be a whole number".
    """

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[str] = []
        self._file = file
        self._values: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self._taken: set[str] = set()
        self._sections: set[str] = set()
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self._problem(mark.line + 1 if mark else 1, "", str(getattr(error, "problem", "") or "is not YAML"))
            return
        if not isinstance(root, yaml.MappingNode):
            self._problem(1, "", "must hold keys and values")
            return
        self._read("", root, yaml.SafeLoader(""))

    def get(self, key: str, parse: Callable[[Any], T], default: T = REQUIRED) -> T | None:
        """The value at dotted `key` through `parse`, or `default`; what `parse` refuses with ValueError is a problem."""
        self._take(key)
        self._sections.add(key.rpartition(".")[0])
        if key not in self._values:
            if default is REQUIRED:
                self._problem(self._lines.get(key.rpartition(".")[0], 1), key, "is missing")
                return None
            return default
        try:
            return parse(self._values[key])
        except ValueError as error:
            self._problem(self._lines[key], key, str(error))
            return None

    def ignore(self, key: str) -> None:
        """`key` and all below it belong to someone else."""
        self._take(key)
        self._taken.update(known for known in self._values if known.startswith(key + "."))

    def finish(self) -> list[str]:
        """All problems in the order of the file; a key that nobody asked for is one."""
        for key, value in self._values.items():
            if key in self._sections and not isinstance(value, dict):
                self._problem(self._lines[key], key, "must hold keys and values")
            if key not in self._taken:
                self._problem(self._lines[key], key, "is not a known key")
        return [text for _, text in sorted(self._numbered)]

    def fail(self, key: str, wrong: str) -> None:
        """Adds a problem that concerns more than one key."""
        self._problem(self._lines.get(key, 1), key, wrong)

    @property
    def _numbered(self) -> list[tuple[int, str]]:
        return [(int(text.split(":")[1]), text) for text in self.problems]

    def _take(self, key: str) -> None:
        while key:
            self._taken.add(key)
            key = key.rpartition(".")[0]

    def _problem(self, line: int, key: str, wrong: str) -> None:
        self.problems.append(f"{self._file}:{line}: {key + ': ' if key else ''}{wrong}")

    def _read(self, prefix: str, node: yaml.MappingNode, loader: yaml.SafeLoader) -> None:
        for key_node, value_node in node.value:
            key = f"{prefix}{key_node.value}"
            line = key_node.start_mark.line + 1
            if key in self._values:
                self._problem(line, key, "is there twice")
            self._lines[key] = line
            try:
                self._values[key] = loader.construct_object(value_node, deep=True)
            except yaml.YAMLError:
                self._values[key] = None
                self._problem(line, key, "is not a plain value")
            if isinstance(value_node, yaml.MappingNode):
                self._read(key + ".", value_node, loader)
