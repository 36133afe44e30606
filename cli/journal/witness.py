"""Where chains ended, as someone outside of the database remembers it: notes in a folder, and what the user hands in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.output import Exit, fail

if TYPE_CHECKING:
    from gateway.adapters.journal.rows import Head
    from gateway.adapters.journal.store import Store

_WRITTEN = re.compile(r"([\w-]+):(\d+):([0-9a-fA-F]{64})")


def parse(texts: Iterable[str]) -> list[tuple[str, Head]]:
    """Raises typer.BadParameter."""
    from gateway.adapters.journal.rows import Head

    found = []
    for text in texts:
        match = _WRITTEN.fullmatch(text.strip())
        if match is None:
            raise typer.BadParameter(f'--head: "{text}" is not WRITER:SEQ:HASH with 64 digits of hash')
        found.append((match[1], Head(int(match[2]), bytes.fromhex(match[3]))))
    return found


def written(writer: str, head: Head) -> str:
    """As `parse` reads it."""
    return f"{writer}:{head.seq}:{head.hash.hex()}"


def noted(folder: Path) -> dict[str, Head]:
    """The notes of writers on this machine; ends the program where one cannot be read."""
    from gateway.adapters.journal.heads import read_heads

    try:
        return read_heads(folder)
    except ValueError as error:
        fail(f"{error}. Look into it, then take the file away", Exit.FAILED)


def merged(noted: Mapping[str, Head], given: Iterable[tuple[str, Head]]) -> dict[str, Head]:
    """For each writer the latest end that anyone remembers; `contradicted` looks at the earlier ones."""
    latest = dict(noted)
    for writer, head in given:
        if writer not in latest or latest[writer].seq < head.seq:
            latest[writer] = head
    return latest


def contradicted(store: Store, given: Iterable[tuple[str, Head]]) -> list[str]:
    """What is wrong with rows that `given` names: another hash. A row that was dropped is verify's to judge."""
    wrong = []
    for writer, head in given:
        row = store.row(writer, head.seq)
        if row is not None and row.hash != head.hash:
            wrong.append(f"row {writer}:{head.seq} has the hash {row.hash.hex()}, not the one that was kept elsewhere")
    return wrong
