"""Puts together what the ranges of a journal hold, and judges the chains as wholes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from gateway.adapters.journal import rows
from gateway.adapters.journal.proof.findings import GONE, KEPT, LIMIT, Claim, Cleared, Found, Gap, Piece, Problem
from gateway.adapters.journal.proof.parts import first_inside, first_outside, runs, spans
from gateway.adapters.journal.rows import GENESIS, STARTED, Head, link
from gateway.adapters.journal.store import Store


class Chains:
    """Every chain up to `heads`, which were the ends when verification began.

    Rows that are written meanwhile are left for the next time, but for one thing: they may tell of rows and parts that went
    while they were being read. So `later` is asked for when something is missing, and only then.
    """

    def __init__(self, heads: Mapping[str, Head]) -> None:
        self.rows = 0
        self.blobs = 0
        self.truncated = False
        self.beyond: dict[str, int] = {}
        self._heads = heads
        self._pieces: dict[str, Piece] = {}
        self._gaps: list[Gap] = []
        self._claims: list[Claim] = []
        self._cleared: list[Cleared] = []
        self._ends: dict[str, dict[int, bytes]] = {}
        self._late_cleared: list[Cleared] = []
        self._late_ends: dict[str, dict[int, bytes]] = {}
        self._lost: list[tuple[str, int]] = []
        self._problems: list[Problem] = []

    @property
    def writers(self) -> int:
        return len(self._pieces)

    def claim(self, source: str, heads: Mapping[str, Head]) -> None:
        """`source` says that the chains had these rows."""
        self._claims += [Claim(source, writer, head) for writer, head in heads.items()]

    def add(self, found: Found) -> None:
        """The next range."""
        self.rows += found.rows
        self.blobs += found.blobs
        self.truncated |= found.truncated
        for writer, seq in found.beyond.items():
            self.beyond[writer] = max(seq, self.beyond.get(writer, 0))
        for writer, piece in found.pieces.items():
            self._follow(writer, piece)
        self._gaps += found.gaps
        self._claims += found.claims
        self._cleared += found.cleared
        _collect(self._ends, found.ends)
        self._lost += found.lost
        self._problems += found.problems

    def later(self, found: Found) -> None:
        """What was written since verification began."""
        self._late_cleared = found.cleared
        _collect(self._late_ends, found.ends)
        self._problems += found.problems

    def judge(self, store: Store, after: Mapping[str, Head]) -> list[Problem]:
        """Everything that is wrong; `after` are the ends of the chains now. Raises StoreError."""
        problems = set(self._problems)
        for more in (
            (problem for gap in self._gaps for problem in self._judge_gap(gap)),
            self._judge_ends(),
            self._judge_noted(after),
            self._judge_claims(store),
            self._judge_parts(),
            self._judge_blobs(),
        ):
            problems.update(islice(more, LIMIT + 1))
        return sorted(problems, key=lambda problem: (problem.writer, problem.seq, problem.kind, problem.text))

    def _follow(self, writer: str, piece: Piece) -> None:
        before = self._pieces.get(writer)
        if before is None:
            self._pieces[writer] = piece
            self._gaps.append(Gap(writer, 0, piece.first, piece.first_header, piece.first_hash))
            return
        if before.stopped:
            self._problem("order", writer, piece.first, "the row is behind the one that ended the chain")
        if piece.first <= before.last:
            self._problem("order", writer, piece.first, "the row is there twice, or behind a later one")
            if piece.last <= before.last:
                return
        elif piece.first > before.last + 1:
            self._gaps.append(Gap(writer, before.last, piece.first, piece.first_header, piece.first_hash))
        elif link(before.hash, piece.first_header) != piece.first_hash:
            self._problem(
                "changed", writer, piece.first, "the row is not what its hash, or the hash before it, was made of"
            )
        if piece.first_at < before.at:
            self._problem("time", writer, piece.first, "the row is older than the one before it")
        before.last, before.hash, before.at, before.stopped = piece.last, piece.hash, piece.at, piece.stopped
        before.person.extend(piece.person)
        before.content.extend(piece.content)

    def _problem(self, kind: str, writer: str, seq: int, text: str) -> None:
        self._problems.append(Problem(kind, writer, seq, text))

    def _end(self, writer: str, seq: int) -> bytes | None:
        """The hash of a dropped row, where a row that tells of a drop names exactly that one."""
        return self._ends.get(writer, {}).get(seq) or self._late_ends.get(writer, {}).get(seq)

    def _went(self, writer: str, seq: int) -> bool:
        """Whether the row was dropped while the journal was being read."""
        return max(self._late_ends.get(writer, {}), default=0) >= seq

    def _dropped(self, writer: str, seq: int) -> bool:
        return max(self._ends.get(writer, {}), default=0) >= seq or self._went(writer, seq)

    def _judge_gap(self, gap: Gap) -> Iterator[Problem]:
        """The row before is the one that the row follows, or the last of those that were dropped."""
        writer, seq = gap.writer, gap.seq
        if seq == 1:
            before: bytes | None = GENESIS
            if not gap.header.startswith(f'"{STARTED}",'.encode(), _kind_at(gap.header)):
                yield Problem("changed", writer, seq, "the chain does not begin with its writer's start")
        else:
            before = self._end(writer, seq - 1)
        if before is not None:
            if link(before, gap.header) != gap.hash:
                yield Problem(
                    "changed", writer, seq, "the row is not what its hash, or the hash before it, was made of"
                )
        elif not self._went(writer, seq - 1):
            known = [end for end in self._ends.get(writer, {}) if end < seq]
            first = max([gap.before, *known]) + 1
            yield Problem("missing", writer, first, f"{_rows(first, seq - 1)} missing")

    def _judge_ends(self) -> Iterator[Problem]:
        for writer, head in self._heads.items():
            piece = self._pieces.get(writer)
            if piece is None:
                if (self._end(writer, head.seq) != head.hash) and not self._went(writer, head.seq):
                    yield Problem("gone", writer, 0, f"the whole chain is gone; it ended with row {head.seq}")
            elif piece.last < head.seq and not self._went(writer, head.seq):
                yield Problem("cut", writer, piece.last + 1, f"{_rows(piece.last + 1, head.seq)} missing at the end")
            elif piece.last == head.seq and piece.hash != head.hash:
                yield Problem(
                    "changed", writer, head.seq, "the last row is not the one that the journal has noted as last"
                )
        for writer, piece in self._pieces.items():
            if piece.first <= max(self._ends.get(writer, {}), default=0):
                yield Problem("order", writer, piece.first, "rows are there that were dropped")

    def _judge_noted(self, after: Mapping[str, Head]) -> Iterator[Problem]:
        """The ends that the journal itself notes never go back, and no row is behind them."""
        for writer, head in self._heads.items():
            now = after.get(writer, Head(0, b"")).seq
            if now < head.seq and not self._went(writer, head.seq):
                yield Problem("cut", writer, now + 1, f"the noted end went back from row {head.seq} to row {now}")
        for writer, seq in self.beyond.items():
            if after.get(writer, Head(0, b"")).seq < seq and not self._went(writer, seq):
                yield Problem("order", writer, seq, "rows go on behind the end that the journal has noted")

    def _judge_claims(self, store: Store) -> Iterator[Problem]:
        for source, writer, (seq, hash_) in dict.fromkeys(self._claims):
            head = self._heads.get(writer)
            dropped = self._end(writer, seq)
            if dropped is None and self._dropped(writer, seq):
                continue
            if dropped is None and head is None:
                yield Problem("gone", writer, 0, f"the whole chain is gone; {source} names its row {seq}")
                continue
            if dropped is None and head is not None and seq > head.seq:
                yield Problem(
                    "cut", writer, head.seq + 1, f"{_rows(head.seq + 1, seq)} missing at the end: {source} names it"
                )
                continue
            row = store.row(writer, seq) if dropped is None else None
            there = row.hash if row is not None else dropped
            # A row that is missing in the middle is a gap, and told as one.
            if there is not None and there != hash_:
                yield Problem(
                    "fork", writer, seq, f"the row is not the one that {source} names: the chain was written anew"
                )

    def _judge_parts(self) -> Iterator[Problem]:
        told = spans(self._cleared)
        all_told = spans([*self._cleared, *self._late_cleared])
        for writer, piece in self._pieces.items():
            for part, states in (("person", piece.person), ("content", piece.content)):
                for first, last, state in runs(states):
                    if state == GONE:
                        bare = first_outside(all_told.get((writer, part), ()), first, last)
                        if bare and not self._went(writer, last):
                            yield Problem(
                                "erased", writer, bare, f"the {part} part is gone, and no row says that it was erased"
                            )
                    elif state == KEPT:
                        back = first_inside(told.get((writer, part), ()), first, last)
                        if back:
                            yield Problem(
                                "kept", writer, back, f"the {part} part is there, and a row says that it was erased"
                            )

    def _judge_blobs(self) -> Iterator[Problem]:
        late = spans(self._late_cleared)
        for writer, seq in self._lost:
            if not self._went(writer, seq) and not first_inside(late.get((writer, "content"), ()), seq, seq):
                yield Problem("blob", writer, seq, "a large content is missing")


def _collect(ends: dict[str, dict[int, bytes]], found: Iterable[tuple[str, Head]]) -> None:
    for writer, head in found:
        ends.setdefault(writer, {})[head.seq] = head.hash


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"


def _kind_at(header: bytes) -> int:
    """Where the kind begins: behind writer, seq and at. A writer's name has no comma."""
    place = 0
    for _ in range(rows.KIND):
        place = header.find(b",", place) + 1
    return place
