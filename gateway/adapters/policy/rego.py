"""Reads one Rego file: its package, what it defines, what it calls, and where it names `data`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import regorus

from gateway.adapters.policy.problems import Problem

_PLACE = re.compile(r"-->\s*(?P<file>.+?):(?P<line>\d+):\d+")
_ERROR = re.compile(r"^error: (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Named:
    """A name and the line that it stands on."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement, and the name under which the file knows what it imports."""

    alias: str
    statement: bytes
    line: int


@dataclass(frozen=True, slots=True)
class Module:
    """One Rego file. `file` is its path in the policy folder.

    `rules` are what it defines, one entry for each definition. `calls` are the functions that it calls, imports resolved:
    "count", "f" for one of its own package, "data.firebreak.main.f" for one of another. `roots` are the byte offsets at which
    the document `data` is named, `header` those between which the package and the imports are declared.
    """

    file: str
    text: str
    package: str
    rules: tuple[Named, ...]
    calls: tuple[Named, ...]
    imports: tuple[Import, ...]
    roots: tuple[int, ...]
    header: tuple[tuple[int, int], ...]

    @property
    def is_test(self) -> bool:
        return self.file.endswith("_test.rego")

    @property
    def tests(self) -> tuple[Named, ...]:
        """The tests in a test file, as OPA names them."""
        return tuple(rule for rule in self.rules if rule.name.startswith("test_")) if self.is_test else ()


@lru_cache(maxsize=1024)
def parse(file: str, text: str) -> Module | Problem:
    """Reads Rego v1; a Problem says where it is wrong. Files that did not change since the last time are not read again."""
    tree = _tree(file, text)
    if isinstance(tree, Problem):
        return tree
    package = _dotted(tree["package"]["refr"])
    if package is None:
        return Problem(file, tree["package"]["span"]["line"], "a package is named by words and dots")
    aliases = _aliases(tree["imports"], text.encode())
    rules = tuple(_rules(tree["rules"]))
    calls = tuple(_call(node, aliases) for node in _nodes(tree["rules"], "Call"))
    roots = tuple(_roots([tree["imports"], tree["rules"]]))
    imports = tuple(_imports(tree["imports"], text.encode()))
    header = tuple((item["span"]["start"], item["span"]["end"]) for item in (tree["package"], *tree["imports"]))
    return Module(file, text, package.name, rules, calls, imports, roots, header)


def _tree(file: str, text: str) -> Any:
    """The syntax tree, or a Problem. The interpreter must end in the thread that it was made in, so nothing may keep it."""
    engine = regorus.Engine()
    try:
        engine.add_policy(file, text)
        return orjson.loads(engine.get_ast_as_json())[0]["ast"]
    except Exception as error:  # the parser's errors have no type of their own
        return explain(error.with_traceback(None), file)
    finally:
        del engine


def explain(error: BaseException, file: str = "") -> Problem:
    """An error of the interpreter as a Problem, without its stack trace."""
    text = str(error)
    place, said = _PLACE.search(text), _ERROR.search(text)
    words = said["text"] if said else (text.strip().splitlines() or [type(error).__name__])[0]
    return Problem(place["file"], int(place["line"]), words) if place else Problem(file, 0, words)


def _nodes(tree: Any, kind: str) -> Iterator[Any]:
    """Every node of a kind, at any depth."""
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item, kind)
    elif isinstance(tree, dict):
        for key, item in tree.items():
            if key == kind:
                yield item
            yield from _nodes(item, kind)


def _dotted(ref: Any) -> Named | None:
    """A reference such as a.b.c as one name; None where it is no plain name."""
    if "Var" in ref:
        return Named(ref["Var"]["value"], ref["Var"]["span"]["line"])
    if "RefDot" in ref:
        head = _dotted(ref["RefDot"]["refr"])
        return None if head is None else Named(f"{head.name}.{ref['RefDot']['field'][1]}", head.line)
    return None


def _roots(tree: Any) -> Iterator[int]:
    for node in _nodes(tree, "Var"):
        if node["value"] == "data":
            yield int(node["span"]["start"])


def _aliases(imports: Any, source: bytes) -> dict[str, str]:
    """What the imports call things: alias → full name."""
    named = ((_alias(item, source), _dotted(item["refr"])) for item in imports)
    return {alias: target.name for alias, target in named if target is not None}


def _alias(item: Any, source: bytes) -> str:
    given = item.get("as") or _last(item["refr"])
    return source[given["start"] : given["end"]].decode().strip('"')


def _last(ref: Any) -> Any:
    """Span of the last word of a reference."""
    if "RefDot" in ref:
        return ref["RefDot"]["field"][0]
    inner = ref["RefBrack"]["index"] if "RefBrack" in ref else ref
    return next(iter(inner.values()))["span"]


def _imports(imports: Any, source: bytes) -> Iterator[Import]:
    """The imports but for those of language versions, which say nothing in Rego v1."""
    for item in imports:
        span, root = item["span"], next(_nodes(item["refr"], "Var"))["value"]
        if root in ("data", "input"):
            yield Import(_alias(item, source), source[span["start"] : span["end"]], span["line"])


def _rules(rules: Any) -> Iterator[Named]:
    for rule in rules:
        body = rule.get("Spec", rule.get("Default"))
        head = body.get("head")
        ref = body["refr"] if head is None else next(iter(head.values()))["refr"]
        var = next(_nodes(ref, "Var"))
        yield Named(var["value"], var["span"]["line"])


def _call(node: Any, aliases: dict[str, str]) -> Named:
    called, line = _dotted(node["fcn"]), int(node["span"]["line"])
    if called is None:
        return Named("a computed function", line)
    first, dot, rest = called.name.partition(".")
    return Named(aliases.get(first, first) + dot + rest, line)
