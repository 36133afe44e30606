"""`firebreak journal export`: records for other programs, as JSON lines or Parquet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from cli.journal import filters, objects, parquet
from cli.journal.opening import CONFIG, Config, reading
from cli.journal.progress import Counter, counting
from cli.output import Exit, err, fail

if TYPE_CHECKING:
    from gateway.adapters.journal.reading.reader import Record


class Format(StrEnum):
    """What is written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def export(
    form: Annotated[Format, typer.Option("--format", help="JSON, one object a line, or Parquet.")] = Format.JSONL,
    out: Annotated[Path | None, typer.Option(help="File to write; default: standard output (jsonl only).")] = None,
    everything: Annotated[bool, typer.Option("--all", help="With all that the journal says of itself.")] = False,
    principal: filters.Principal = "",
    target: filters.Target = "",
    outcome: filters.Outcome = "",
    since: filters.Since = "",
    until: filters.Until = "",
    config: Config = CONFIG,
) -> None:
    """Write records to a file, oldest first: header, facts, who, and the contents as far as they are kept.

    Example: firebreak journal export --format parquet --out calls.parquet --since 7d
    """
    from gateway.adapters.journal import rows

    if form is Format.PARQUET and out is None:
        raise typer.BadParameter("Parquet needs a file: name one with --out")
    if form is Format.PARQUET and (missing := parquet.missing()):
        fail(missing, Exit.FAILED)
    kinds = (rows.CALL, rows.OPENED, *sorted(rows.CONTROL)) if everything else ()
    where = filters.where(principal, target, outcome, since, until, kinds)
    with reading(config) as journal, counting("exporting") as counter, _written(out) as file:
        records = counter.each(journal.find(where))
        if form is Format.PARQUET:
            parquet.write(records, file)
        else:
            _write_lines(records, file)
    _tell(counter, out)


def _write_lines(records: Iterator[Record], file: BinaryIO) -> None:
    for record in records:
        file.write(objects.encoded(objects.as_object(record)) + b"\n")


@contextmanager
def _written(out: Path | None) -> Iterator[BinaryIO]:
    """The file to write to. It has its name only when it is whole, and is its owner's alone: it tells of persons."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = out.with_name(out.name + ".part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _tell(counter: Counter, out: Path | None) -> None:
    if out is not None:
        err.print(f"{counter.count:,} records in {out}, {counter.seconds:.1f} s")
