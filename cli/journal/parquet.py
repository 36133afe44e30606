"""Records as a Parquet file: flat columns, with facts, person and content as JSON. pyarrow is loaded only here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from cli.journal.objects import as_object, encoded

if TYPE_CHECKING:
    from gateway.adapters.journal.reading.reader import Record

_ROWS, _CHARACTERS = 5000, 16 * 1024**2
"""Records, and characters of their JSON, from which on a row group is written: more is never in memory."""

_TEXT = (
    "writer", "kind", "call", "parent", "session", "target", "method", "outcome", "reason", "decision", "principal", "origin",
    "hash",
)  # fmt: skip
_JSON = ("facts", "person", "content")


def missing() -> str:
    """What to do where Parquet cannot be written, or ""."""
    if importlib.util.find_spec("pyarrow") is not None:
        return ""
    return "Parquet needs pyarrow, which is not installed: run `python3 scripts/setup.py parquet`"


def write(records: Iterator[Record], file: BinaryIO) -> None:
    """Writes a whole file, with no more than a row group in memory."""
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    schema = pyarrow.schema(
        [
            ("at", pyarrow.timestamp("us", tz="UTC")),
            ("seq", pyarrow.int64()),
            ("ms", pyarrow.float64()),
            *((name, pyarrow.string()) for name in (*_TEXT, *_JSON)),
        ]
    )
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for group in _groups(records):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


def _groups(records: Iterator[Record]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    size = 0
    for record in records:
        group.append(row := _flat(record))
        size += sum(len(row[name] or "") for name in _JSON)
        if len(group) == _ROWS or size >= _CHARACTERS:
            yield group
            group, size = [], 0
    if group:
        yield group


def _flat(record: Record) -> dict[str, Any]:
    """Null where there is nothing, and in `person` and `content` the JSON text "erased" where there was something."""
    found = as_object(record)
    return {
        "at": record.header.at,
        "seq": record.header.seq,
        "ms": record.header.facts.get("ms"),
        **{name: found[name] for name in _TEXT},
        **{name: None if found[name] is None else encoded(found[name]).decode() for name in _JSON},
    }
