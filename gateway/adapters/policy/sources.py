"""What an engine is given: one text for each package, put together from the package's files.

The interpreter answers wrongly when a package of several files is named through an import, and OPA refuses a file that uses
rules of another that it has not got yet. A package in one piece has neither trouble.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.adapters.policy.bundle import Bundle
from gateway.adapters.policy.problems import BundleError, Problem
from gateway.adapters.policy.rego import Module

PREFIX = "firebreak_"

_DATA = re.compile(rb"(?<=^import)(\s+)data\b")
_ANNOTATION = re.compile(rb"^(\s*#\s*)METADATA", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """One package as one text. `starts` are the lines, counted from 1, at which the text of each of `files` begins."""

    package: str
    text: str
    is_test: bool
    starts: tuple[int, ...]
    files: tuple[str, ...]

    def place(self, line: int) -> tuple[str, int]:
        """File and line of a line of the text."""
        index = max(0, bisect_right(self.starts, line) - 1)
        return self.files[index], max(1, line - self.starts[index] + 1)

    def problem(self, line: int, text: str) -> Problem:
        """A Problem at a line of the text."""
        return Problem(*self.place(line), text)


def namespace(bundle: Bundle) -> str:
    """The name below which a bundle's revision lives in an OPA, beside other revisions."""
    return PREFIX + bundle.revision[:32]


def sources(modules: Iterable[Module], below: str = "") -> tuple[Source, ...]:
    """The modules by package; with `below`, the packages and every mention of `data` are moved below that name.

    OPA takes policies one by one: pushed over those in force, they would decide calls half by the old and half by the new
    policy. Moved, a new revision lives beside the old one until the gateway asks for it.
    Raises BundleError where files of one package import two things under one name.
    """
    packages: dict[str, list[Module]] = {}
    for module in sorted(modules, key=lambda module: module.file):
        packages.setdefault(module.package, []).append(module)
    return tuple(_source(package, found, below) for package, found in packages.items())


def _source(package: str, modules: list[Module], below: str) -> Source:
    text = b"package " + (f"{below}." if below else "").encode() + package.encode() + b"\n"
    text += b"".join(_import(statement, below) + b"\n" for statement in _imports(modules))
    starts = []
    for module in modules:
        starts.append(text.count(b"\n") + 1)
        text += _body(module, below) + b"\n"
    return Source(package, text.decode(), modules[0].is_test, tuple(starts), tuple(module.file for module in modules))


def _imports(modules: list[Module]) -> list[bytes]:
    """The import statements of all files, each once."""
    found: dict[str, bytes] = {}
    for module in modules:
        for item in module.imports:
            if found.setdefault(item.alias, item.statement) != item.statement:
                raise BundleError(
                    [
                        Problem(
                            module.file,
                            item.line,
                            f"another file of the package imports something else as {item.alias}",
                        )
                    ]
                )
    return list(found.values())


def _import(statement: bytes, below: str) -> bytes:
    return _DATA.sub(rb"\1data." + below.encode(), statement) if below else statement


def _body(module: Module, below: str) -> bytes:
    """A file's text without its package and imports; lines stay where they are.

    Annotations become plain comments: OPA takes some of them only at the head of a file.
    """
    text = bytearray(module.text.encode())
    for start, end in module.header:
        text[start:end] = re.sub(rb"[^\n]", b" ", text[start:end])
    if below:
        for at in sorted(module.roots, reverse=True):
            if not any(start <= at < end for start, end in module.header):
                text[at + 4 : at + 4] = f".{below}".encode()
    return _ANNOTATION.sub(rb"\1metadata", bytes(text))
