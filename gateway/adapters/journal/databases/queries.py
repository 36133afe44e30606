"""What both databases are asked in the same words. Values stand as `?`, which PostgreSQL's adapter writes as `%s`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gateway.adapters.journal.rows import CALL, CONTROL, OPENED, Head
from gateway.adapters.journal.store import Batch, Span, StoreError, Where

HEADS = "SELECT writer, seq, hash FROM writers ORDER BY writer"
UNJOINED = (
    "SELECT w.writer, w.seq, w.hash FROM writers w LEFT JOIN joined j ON j.writer = w.writer"
    " WHERE j.seq IS NULL OR j.seq < w.seq"
)
OF_PERSON = "SELECT writer, seq FROM rows WHERE principal = ? OR origin = ? ORDER BY writer, seq LIMIT ?"
NEXT_ROW = "SELECT seq, at FROM rows WHERE writer = ? AND seq >= ? ORDER BY seq LIMIT 1"
HASHES = "SELECT hash FROM rows WHERE writer = ? AND seq BETWEEN ? AND ? ORDER BY seq"
DROP = "DELETE FROM rows WHERE writer = ? AND seq BETWEEN ? AND ?"
FORGET = (
    "DELETE FROM joined WHERE writer = ? AND NOT EXISTS (SELECT 1 FROM rows WHERE writer = ?)",
    "DELETE FROM writers WHERE writer = ? AND NOT EXISTS (SELECT 1 FROM rows WHERE writer = ?)",
)
"""Of a chain without a row nothing is left to say."""

_PERSON = ("principal", "origin", "person")
_EQUAL = ("target", "session", "call", "decision")


def matching(where: Where) -> tuple[str, list[object]]:
    """The condition that rows fulfil which are wanted, and its values."""
    kinds = where.kinds or (CALL, OPENED)
    terms, values = [f"kind IN ({', '.join('?' * len(kinds))})"], list[object](kinds)
    if CONTROL.issuperset(kinds):
        terms.append("kind NOT IN ('call', 'opened')")
    for column in _EQUAL:
        if wanted := getattr(where, column):
            # The second half, like the one above, is what the index asks for: it holds only such rows.
            terms.append(f"({column} = ? AND {column} <> '')")
            values.append(wanted)
    for value, columns in ((where.principal, ("principal", "origin")), (where.outcome, ("outcome", "reason"))):
        if value:
            terms.append(f"({columns[0]} = ? OR {columns[1]} = ?)")
            values += [value, value]
    if where.since is not None:
        # Rows are listed by position, and nearly in the order of time: this is where to begin. The sum keeps the planner from
        # looking for the first position by reading all before it.
        terms.append("at >= ? AND id >= (SELECT min(id + 0) FROM rows WHERE at >= ?)")
        values += [where.since, where.since]
    if where.until is not None:
        terms.append("at < ?")
        values.append(where.until)
    return " AND ".join(terms), values


def parts(*, person: bool, content: bool) -> tuple[str, ...]:
    """The columns that hold these parts."""
    return (*(_PERSON if person else ()), *(("content",) if content else ()))


def spans(rows: Iterable[tuple[str, int]]) -> list[Span]:
    """Rows, sorted by writer and number, as few spans."""
    found: list[Span] = []
    for writer, seq in rows:
        last = found[-1] if found else None
        if last is not None and last.writer == writer and last.last + 1 == seq:
            found[-1] = last._replace(last=seq)
        else:
            found.append(Span(writer, seq, seq))
    return found


def last_before(at: int, newest: int, next_row: Callable[[int], tuple[int, int] | None]) -> int:
    """The last number up to `newest` of a row drafted before `at`, 0 for none, by halving: times do not fall in a chain.

    `next_row` gives number and time of the first row at or behind a number.
    """
    found, low, high = 0, 1, newest
    while low <= high:
        middle = (low + high) // 2
        row = next_row(middle)
        if row is not None and row[1] < at:
            found, low = row[0], row[0] + 1
        else:
            high = middle - 1
    return found


def heads(found: Iterable[tuple[str, int, bytes]]) -> dict[str, Head]:
    return {writer: Head(seq, digest) for writer, seq, digest in found}


def span_of(batch: Batch) -> Span:
    """The rows of `batch`, which is one writer's, in order."""
    return Span(batch.rows[0].writer, batch.rows[0].seq, batch.rows[-1].seq)


def must_be_there(batch: Batch, hashes: Sequence[tuple[bytes]], why: str) -> None:
    """A batch that the database refuses is well if it has it already: the transaction before an error had taken effect.

    `hashes` are those of the rows in its place. Otherwise raises StoreError.
    """
    if [digest for (digest,) in hashes] != [row.hash for row in batch.rows]:
        writer, first, last = span_of(batch)
        raise StoreError(f"rows {first} to {last} of writer {writer} do not fit the journal: {why}", passing=False)
