"""Adds to a YAML file as a person would: one place changes, everything else stays as it was written, comments too."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

ENDLESS = 10**6
"""Width at which YAML breaks no line."""


class EditError(Exception):
    """The text cannot be added to; nothing was written. The text says why."""


def add(text: str, path: Sequence[str], value: Any, key: str | None = None) -> str:
    """`text` with `value` as one more item of the list at `path`, or as `key` of the mapping there.

    What comes out is read again: raises EditError unless it holds what `text` held and exactly this besides.
    """
    try:
        before, node = yaml.safe_load(text), _find(yaml.compose(text, yaml.SafeLoader), path)
    except yaml.YAMLError as error:
        raise EditError(f"it is no valid YAML: {error}") from None
    wanted = _added(before, path, value, key)
    after = _insert(text, node, value, key)
    with contextlib.suppress(yaml.YAMLError):
        if yaml.safe_load(after) == wanted:
            return after
    raise EditError(f"{_dotted(path)} is written in a way that cannot be added to; add it by hand")


def replace(file: Path, text: str) -> None:
    """Writes `text` to `file` all at once: a reader finds the old content or the new, and the file's mode stays."""
    file = file.resolve()
    # Hidden and of another suffix, so that who reads the whole folder passes it over.
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(text.encode())
        draft.chmod(file.stat().st_mode & 0o777)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _find(node: yaml.Node | None, path: Sequence[str]) -> yaml.CollectionNode:
    for step in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == step), None)
    if not isinstance(node, yaml.CollectionNode):
        raise EditError(f"{_dotted(path)} is missing or empty: write at least `{path[-1]}: {{}}` or `{path[-1]}: []`")
    return node


def _added(before: Any, path: Sequence[str], value: Any, key: str | None) -> Any:
    """What the file must hold afterwards."""
    after = deepcopy(before)
    place = after
    for step in path:
        place = place[step]
    if key is None and isinstance(place, list):
        place.append(value)
    elif key is not None and isinstance(place, dict):
        if key in place:
            raise EditError(f"{_dotted(path)} has {key} already")
        place[key] = value
    else:
        raise EditError(f"{_dotted(path)} is no {'list' if key is None else 'mapping of keys to values'}")
    return after


def _insert(text: str, node: yaml.CollectionNode, value: Any, key: str | None) -> str:
    content: Any = [value] if key is None else {key: value}
    if node.flow_style:
        written = yaml.safe_dump(content, default_flow_style=True, sort_keys=False, width=ENDLESS).strip()[1:-1]
        end = node.end_mark.index - 1
        kept = text[:end].rstrip() if node.value else text[:end]
        return f"{kept}{', ' if node.value else ''}{written}{text[end:]}"
    style = False if key is None else None  # an item's keys one a line, a grant's lists on one line each
    lines = yaml.safe_dump(content, default_flow_style=style, sort_keys=False, width=ENDLESS).splitlines()
    indent = " " * node.start_mark.column
    end = _end(text, node)
    gap = "" if text[:end].endswith("\n") else "\n"
    return text[:end] + gap + "".join(f"{indent}{line}\n" for line in lines) + text[end:]


def _end(text: str, node: yaml.Node) -> int:
    """Where the line after the last line of a block begins; what stands there as comments belongs to what comes next."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = int(node.end_mark.index)
    if node.end_mark.column == 0:
        return end
    newline = text.find("\n", end)
    return len(text) if newline < 0 else newline + 1


def _dotted(path: Sequence[str]) -> str:
    return ".".join(path)
