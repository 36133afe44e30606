"""Retention: takes out of the journal what is older than allowed, or more than fits, in steps that each leave it whole.

A step is one transaction of at most 2,000 rows: it erases or drops them and appends the row that says so. How far clearing has
come is in that row too, so a process may end after any step, and two gateways may do the same at once: what one has done
the other finds done. Only beginnings of chains are dropped, so that what remains of each is one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.adapters.journal.author import Author
from gateway.adapters.journal.rows import CLEARED, PRUNED, Head, Row
from gateway.adapters.journal.store import Span, Store, StoreError, Where
from gateway.adapters.journal.upkeep.view import CLOSED, STEP, Progress, View, facts_of, kind_of
from gateway.config import Retention

_LEAST = 100
"""Rows that must go in one step for want of space: dropping a few would make less room than the row that says so takes."""

_PASS = 3600.0
"""Seconds between passes over the parts at most: each writes how far it has come in every chain."""

_ENOUGH = 0.95
"""The part of `size` that a journal is brought down to once it is larger than `size`."""

_LASTING = 120 * 1_000_000
"""Microseconds after a step for want of space in which the next one goes on where the journal is still above `_ENOUGH`."""


def retain(author: Author, store: Store, retention: Retention, now: int) -> bool:
    """Does one step of what `retention` asks for at `now` (microseconds since 1970); whether there may be more to do at once.

    Rows older than `record` are dropped, person and content parts older than `person` and `content` cleared: those a hundredth
    of that time late, an hour at most. Then, when the journal is larger than `size`, the oldest contents go, and the oldest
    rows where contents free nothing. A chain's last row stays, unless it says that its writer has stopped: the next row
    must have something to follow. Raises StoreError.
    """
    author.flush()
    try:
        view = View(store, author.writer)
        return (
            _drop(author, view, now - _micros(retention.record), "age")
            or _age(author, view, "content", retention.content, now)
            or _age(author, view, "person", retention.person, now)
            or _make_room(author, view, retention.size, now)
        )
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        text = f"a row about the journal cannot be read ({error}): run `firebreak journal verify`"
        raise StoreError(text, passing=False) from error


def _micros(seconds: float) -> int:
    return int(seconds * 1_000_000)


def _age(author: Author, view: View, part: str, seconds: float, now: int) -> bool:
    """Clears `part` of rows older than `seconds`, unless that was done a short while ago; whether anything was written."""
    until = now - _micros(seconds)
    progress = view.progress(part, until)
    if progress.until > until - _micros(min(seconds / 100, _PASS)) and not view.late(progress):
        return False
    return _clear(author, view, part, progress, until, {"why": "age", "until": until})


def _make_room(author: Author, view: View, limit: int, now: int) -> bool:
    size = view.store.size()
    if size <= limit * _ENOUGH or (size <= limit and not _made_room(view.store, now - _LASTING)):
        return False
    progress = view.progress("content", now)
    oldest = view.instant(progress.done)
    cleared = _clear(author, view, "content", progress, oldest, {"why": "size"})
    if cleared and view.store.size() < size:
        return True
    oldest = view.instant({writer: 0 for writer in view.heads if view.droppable(writer, CLOSED)})
    return _drop(author, view, oldest, "size", _LEAST) or cleared


def _made_room(store: Store, since: int) -> bool:
    """Whether a step for want of space was done after `since`."""
    newest = store.select(Where(kinds=(CLEARED, PRUNED), since=since), newest_first=True, limit=STEP)
    return any(facts_of(row).get("why") == "size" for row in newest)


def _clear(author: Author, view: View, part: str, progress: Progress, until: int, facts: Mapping[str, Any]) -> bool:
    """Clears `part` of rows drafted before `until`, the oldest of each chain first; whether anything was written.

    `facts` are told of the pass; its instant only when the pass is whole.
    """
    spans: list[Span] = []
    done, left = dict(progress.done), STEP
    for writer, start in progress.done.items():
        if left and start < view.heads[writer].seq:
            found = view.rows(writer, start, view.store.last_before(writer, until), left)
            spans += _having(part, found)
            done[writer] = found[-1].seq if found else start
            left -= len(found)
    # Rows without the part are passed over in silence, or each row that tells of a step would bring forth another. A whole
    # step of them is noted: if they were looked at again every time, the rows behind them would never be reached.
    if not spans and left:
        return False
    told = {key: value for key, value in facts.items() if left or key != "until"}
    author.clear(spans, person=part == "person", content=part == "content", facts={**told, "done": done})
    return True


def _having(part: str, found: Iterable[Row]) -> list[Span]:
    """The span from the first to the last row that has `part`, none where no row has it."""
    having = [row for row in found if (row.person if part == "person" else row.content) is not None]
    return [Span(having[0].writer, having[0].seq, having[-1].seq)] if having else []


def _drop(author: Author, view: View, until: int, why: str, least: int = 1) -> bool:
    """Drops rows drafted before `until`, unless they are fewer than `least`; whether anything was written."""
    spans: list[Span] = []
    ends: dict[str, Head] = {}
    tellers: list[Row] = []
    left = STEP
    for writer in view.heads:
        found = _untied(view, view.rows(writer, 0, view.droppable(writer, until), left) if left else [], ends)
        if found:
            left -= len(found)
            spans.append(Span(writer, found[0].seq, found[-1].seq))
            ends[writer] = Head(found[-1].seq, found[-1].hash)
            tellers += [row for row in found if kind_of(row) == PRUNED]
    if STEP - left < least:
        return False
    ended = [writer for writer, head in ends.items() if head == view.heads[writer]]
    again = _restated(view, tellers, ends)
    whole = sorted({*ended, *(writer for writer in again if writer not in view.heads)})
    author.drop(spans, {**again, **ends}, {"why": why, **({"whole": whole} if whole else {})})
    return True


def _untied(view: View, found: list[Row], dropped: Mapping[str, Head]) -> list[Row]:
    """The rows before the first one that tells of erased parts of rows which are still there and are not dropped with it.

    Where clocks disagree it can be due before them.
    """
    for index, row in enumerate(found):
        if kind_of(row) != CLEARED:
            continue
        for writer, _, last in facts_of(row)["spans"]:
            gone = dropped[writer].seq if writer in dropped else row.seq - 1 if writer == row.writer else 0
            if last > gone and view.there(writer, last):
                return found[:index]
    return found


def _restated(view: View, tellers: Iterable[Row], ends: Mapping[str, Head]) -> dict[str, Head]:
    """What rows about earlier drops, which are dropped now, said and is still so.

    Of a chain that is there, that it begins behind this row; of one that is gone as a whole, its last row: others may name it
    for as long as they are there themselves.
    """
    again: dict[str, Head] = {}
    for row in tellers:
        facts = facts_of(row)
        for writer, (seq, hash_) in facts["ends"].items():
            valid = view.there(writer, seq + 1) if writer in view.heads else writer in facts.get("whole", ())
            if valid and writer not in ends:
                again[writer] = Head(seq, bytes.fromhex(hash_))
    return again
