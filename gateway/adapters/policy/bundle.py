"""Reads a folder of policies into one checked, immutable bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from gateway.adapters.policy import data_files
from gateway.adapters.policy.problems import BundleError, Problem
from gateway.adapters.policy.rego import Module, parse

ENTRY_POINT = "data.firebreak.main.decision"
"""The rule that decides."""

_DATA = (".yaml", ".json")
_UNKNOWN = "unknown file: a policy folder holds PACKAGE/*.rego, data/*.yaml, data/*.json and schemas/*.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything in a policy folder.

    `data` is the document below `data`; `revision` is a SHA-256 over every file, hexadecimal.
    """

    modules: tuple[Module, ...]
    tests: tuple[Module, ...]
    data: Mapping[str, Any]
    revision: str


def policy_files(root: Path) -> list[Path]:
    """The files that count, sorted; hidden ones, editors' backups and Markdown do not. Raises BundleError."""
    if not root.is_dir():
        raise BundleError([Problem("", 0, f"the policy folder {root.name} is missing or is no folder")])
    return sorted(
        file
        for file in root.rglob("*")
        if file.is_file() and not _ignored(file.relative_to(root)) and file.suffix != ".md"
    )


def _ignored(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts) or file.name.endswith("~")


def read_bundle(root: Path) -> Bundle:
    """Reads and checks the folder `root`; raises BundleError with everything that is wrong at once."""
    reader = _Reader()
    for file in policy_files(root):
        reader.read(file.relative_to(root), file)
    return reader.bundle()


class _Reader:
    def __init__(self) -> None:
        self.modules: list[Module] = []
        self.schemas: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self.lines: data_files.Lines = {}
        self.problems: list[Problem] = []
        self.digest = hashlib.sha256()

    def read(self, name: Path, file: Path) -> None:
        try:
            content = file.read_bytes()
            text = content.decode()
        except (OSError, UnicodeDecodeError) as error:
            what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or "cannot be read"
            self._wrong(name, 0, what)
            return
        self.digest.update(f"{name.as_posix()}\0{len(content)}\0".encode() + content)
        self._sort(name, text)

    def _sort(self, name: Path, text: str) -> None:
        top = name.parts[0]
        if top == "data" and name.suffix in _DATA and len(name.parts) > 1:
            self._add_data(name, text)
        elif top == "schemas" and name.suffix == ".json" and len(name.parts) == 2:
            self._add_schema(name, text)
        elif top not in ("data", "schemas") and name.suffix == ".rego" and len(name.parts) > 1:
            self._add_module(name, text)
        else:
            self._wrong(
                name,
                0,
                "unknown file: a policy folder holds PACKAGE/*.rego, data/*.yaml, data/*.json and schemas/*.json",
            )

    def _add_module(self, name: Path, text: str) -> None:
        module = parse(name.as_posix(), text)
        if isinstance(module, Problem):
            self.problems.append(module)
            return
        package = ".".join(name.parts[:-1])
        expected = f"{package}_test" if module.is_test else package
        if module.package != expected:
            self._wrong(name, 1, f"the package is {module.package}, but a file here belongs to the package {expected}")
        self.modules.append(module)

    def _add_schema(self, name: Path, text: str) -> None:
        value, _, problems = data_files.read_data(name.as_posix(), text)
        self.problems += problems
        if problems:
            return
        try:
            self.schemas[name.stem] = jsonschema_rs.Draft7Validator(value, validate_formats=True)
        except jsonschema_rs.ValidationError as error:
            self._wrong(name, 0, f"not a JSON Schema: {error.message}")

    def _add_data(self, name: Path, text: str) -> None:
        value, lines, problems = data_files.read_data(name.as_posix(), text)
        self.problems += problems
        if problems:
            return
        if not isinstance(value, dict):
            self._wrong(name, 1, "a data file holds a mapping")
            return
        folder = name.parts[1:-1]
        for part in reversed(folder):
            value = {part: value}
        self.lines |= {folder + path: place for path, place in lines.items() if path}
        self._merge(self.data, value, name, ())

    def _merge(self, into: dict[str, Any], value: dict[str, Any], name: Path, path: tuple[str, ...]) -> None:
        for key, item in value.items():
            here = (*path, key)
            if key not in into:
                into[key] = item
            elif isinstance(into[key], dict) and isinstance(item, dict):
                self._merge(into[key], item, name, here)
            else:
                self._wrong(name, self.lines.get(here, ("", 0))[1], f"data.{'.'.join(here)} is in another file already")

    def _wrong(self, name: Path, line: int, text: str) -> None:
        self.problems.append(Problem(name.as_posix(), line, text))

    def bundle(self) -> Bundle:
        """The bundle of what was read; raises BundleError."""
        self._check_data()
        if not self.problems:
            self._check_rules()
        if self.problems:
            raise BundleError(self.problems)
        rules = tuple(module for module in self.modules if not module.is_test)
        tests = tuple(module for module in self.modules if module.is_test)
        return Bundle(rules, tests, self.data, self.digest.hexdigest())

    def _check_data(self) -> None:
        for key, validator in self.schemas.items():
            if key == "input":
                continue
            if key not in self.data:
                self._wrong(
                    Path("schemas", f"{key}.json"), 0, f"no data file holds data.{key}, which this schema describes"
                )
                continue
            for error in validator.iter_errors(self.data[key]):
                path = (key, *error.instance_path)
                file, line = self._place(path)
                self.problems.append(Problem(file, line, f"data.{'.'.join(map(str, path))}: {error.message}"))

    def _place(self, path: tuple[str | int, ...]) -> tuple[str, int]:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, ("data", 0))

    def _check_rules(self) -> None:
        packages = {module.package.split(".")[0] for module in self.modules}
        for key in sorted(packages & self.data.keys()):
            file, line = self._place((key,))
            self.problems.append(Problem(file, line, f"data.{key} is the name of a package: choose another"))
        for module in self.modules:
            names = [test.name for test in module.tests]
            for test in module.tests:
                if names.count(test.name) > 1:
                    self._wrong(
                        Path(module.file), test.line, f"two tests are called {test.name}: only one would have to hold"
                    )
        if not any(module.tests for module in self.modules):
            self._wrong(Path(), 0, "there is no test: a policy without one is not put in force")
        if not any(f"data.{module.package}" == ENTRY_POINT.rpartition(".")[0] for module in self.modules):
            self._wrong(Path(), 0, f"the entry point {ENTRY_POINT} is missing")


def canonical(document: Mapping[str, Any]) -> bytes:
    """The input document as JSON; raises TypeError for what JSON cannot carry."""
    return orjson.dumps(document, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be part of a policy input")
