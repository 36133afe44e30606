"""Checks rows as they lie: each against its own header and against the row before it of the same chain.

A range of positions is checked without knowledge of any other, so that several processes can share the work. What cannot be
judged within it (where a chain goes on in another range, what other chains say of it) is handed back in `Found`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

import orjson
from firebreak.v1.record_pb2 import RecordedContent
from google.protobuf.message import DecodeError

from gateway.adapters.journal import rows
from gateway.adapters.journal.proof.findings import GONE, KEPT, LIMIT, NONE, Claim, Cleared, Found, Gap, Piece, Problem
from gateway.adapters.journal.rows import CALL, CLEARED, JOINED, OPENED, PRUNED, STARTED, STOPPED, Head
from gateway.adapters.journal.store import Store

Stored = tuple[int, str, int, bytes, bytes, str | None, str | None, bytes | None, bytes | None]
"""A row as `Store.scan` gives it."""


_DIGITS = 16
"""Digits of a row's time, from the year 2001 to 2286."""

_ABOUT_A_CALL = (b',"call",', b',"opened",')
"""How a header of one of these kinds goes on behind its time."""


class _Chain:
    """A chain while its rows go by. `next` is the number that the next row must have, 0 while there was none.

    `at` is the time of the row before, in digits, which compare as the numbers do.
    """

    __slots__ = ("at", "content", "hash", "hashes", "limit", "next", "person", "piece", "prefix", "runs", "writer")

    def __init__(self, writer: str, limit: int, behind: Head | None) -> None:
        self.writer = writer
        self.limit = limit
        self.prefix = b"[" + orjson.dumps(writer) + b","
        self.next = behind.seq + 1 if behind else 0
        self.hash = behind.hash if behind else b""
        self.at = b"0" * _DIGITS
        self.person = self.content = -1
        self.piece = Piece()
        self.runs: list[tuple[int, list[bytes]]] = []
        self.begin(self.next)

    def begin(self, seq: int) -> None:
        """Rows without a gap follow from row `seq` on."""
        self.hashes: list[bytes] = []
        self.runs.append((seq, self.hashes))

    def close(self) -> None:
        """The rows seen so far are a whole; what is known of their parts ends with them."""
        for states in (self.piece.person, self.piece.content):
            if states:
                states.append(self.next * 4 + NONE)
        self.person = self.content = -1

    def hash_of(self, seq: int) -> bytes | None:
        for first, hashes in reversed(self.runs):
            if first <= seq:
                return hashes[seq - first] if seq - first < len(hashes) else None
        return None


def check(
    found_rows: Iterable[Stored], limits: Mapping[str, int], store: Store, behind: Mapping[str, Head] | None = None
) -> Found:
    """Checks rows in the order given, of each writer those up to its limit. `behind` are heads that they must follow.

    Afterwards looks into `store` for the blobs that they refer to. Raises StoreError.
    """
    checker = _Checker(limits, behind or {})
    checker.run(found_rows)
    return checker.finish(store)


class _Checker:
    def __init__(self, limits: Mapping[str, int], behind: Mapping[str, Head]) -> None:
        self._limits = limits
        self._behind = behind
        self._chains: dict[str, _Chain] = {}
        self._references: list[tuple[bytes, str, int]] = []
        self._found = Found()

    def run(self, found_rows: Iterable[Stored]) -> None:  # noqa: C901 - see below
        """Every row passes here, so it is written out: a function for each step costs a fifth more."""
        chains, count = self._chains, 0
        for _, writer, seq, header, hash_, principal, origin, person, content in found_rows:
            chain = chains.get(writer) or self._chain(writer)
            if seq > chain.limit:
                self._found.beyond[writer] = max(seq, self._found.beyond.get(writer, 0))
                continue
            count += 1
            if seq != chain.next:
                if not self._jump(chain, seq, header, hash_):
                    continue
            elif sha256(chain.hash + header).digest() != hash_:
                self._problem(
                    "changed", writer, seq, "the row is not what its hash, or the hash before it, was made of"
                )
            chain.next, chain.hash = seq + 1, hash_
            chain.hashes.append(hash_)

            start = chain.prefix + b"%d," % seq
            place = len(start)
            at = header[place : place + _DIGITS]
            if (
                header.startswith(start)
                and header.startswith(_ABOUT_A_CALL, place + _DIGITS)
                and at >= chain.at
                and not chain.piece.stopped
                and at.isdigit()
            ):
                chain.at = at
            else:
                self._header(chain, seq, header)
            if seq == chain.piece.first:
                chain.piece.first_at = int(chain.at)

            if content is None or header[-66:-2] != sha256(content).hexdigest().encode() or b"2 " in content:
                state, end = self._content(writer, seq, header, content)
            else:
                state, end = KEPT, -68
            if state != chain.content:
                chain.content = state
                chain.piece.content.append(seq * 4 + state)

            if person is None:
                state = self._nobody(writer, seq, header[:end], principal, origin)
            else:
                state = KEPT
                digest = sha256(orjson.dumps((principal, origin)) + person).hexdigest()
                if header[end - 65 : end - 1] != digest.encode():
                    self._problem("changed", writer, seq, "the person part is not what was recorded")
            if state != chain.person:
                chain.person = state
                chain.piece.person.append(seq * 4 + state)
        self._found.rows += count

    def finish(self, store: Store) -> Found:
        found = self._found
        for chain in self._chains.values():
            if not chain.piece.first:
                continue
            chain.close()
            chain.piece.last, chain.piece.hash, chain.piece.at = chain.next - 1, chain.hash, int(chain.at)
            found.pieces[chain.writer] = chain.piece
        found.claims = [claim for claim in found.claims if not self._seen(claim)]
        self._look_up(store)
        return found

    def _chain(self, writer: str) -> _Chain:
        chain = self._chains[writer] = _Chain(writer, self._limits.get(writer, 0), self._behind.get(writer))
        return chain

    def _jump(self, chain: _Chain, seq: int, header: bytes, hash_: bytes) -> bool:
        """For a row that is not the next one; whether it can be taken as the next one after all."""
        if seq < max(chain.next, 1):
            self._problem("order", chain.writer, seq, "the row is there twice, or behind a later one")
            return False
        if not chain.next:
            chain.piece.first, chain.piece.first_header, chain.piece.first_hash = seq, header, hash_
        elif len(self._found.gaps) < LIMIT:
            self._found.gaps.append(Gap(chain.writer, chain.next - 1, seq, header, hash_))
        else:
            self._found.truncated = True
        chain.close()
        chain.begin(seq)
        return True

    def _header(self, chain: _Chain, seq: int, header: bytes) -> None:
        """The columns, the time and what a row about the journal itself says."""
        try:
            read = rows.read_header(header)
            if (read.writer, read.seq) != (chain.writer, seq) or not 0 <= read.at < 10**_DIGITS:
                raise ValueError
            at = b"%016d" % read.at
            if read.kind not in (CALL, OPENED) or chain.piece.stopped:
                self._tell(chain, read)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._problem("changed", chain.writer, seq, "the header is not that of this row")
            return
        if at < chain.at:
            self._problem("time", chain.writer, seq, "the row is older than the one before it")
        chain.at = at

    def _content(self, writer: str, seq: int, header: bytes, content: bytes | None) -> tuple[int, int]:
        """The state of a content part that is not simply there, and where its digest begins, the last value of the header."""
        if header.endswith(b',""]'):
            if content is not None:
                self._problem("changed", writer, seq, "the row has a content that its header does not know")
            return NONE, -4
        if content is None:
            return GONE, -68
        if sha256(content).hexdigest().encode() != header[-66:-2]:
            self._problem("changed", writer, seq, "the content is not what was recorded")
        if b"2 " in content:  # how a reference to a blob begins
            self._refer(writer, seq, content)
        return KEPT, -68

    def _nobody(self, writer: str, seq: int, header: bytes, principal: str | None, origin: str | None) -> int:
        """The state of a person part that is not there; with its digest `header` ends."""
        if principal is not None or origin is not None:
            self._problem("changed", writer, seq, "the row names a person but has no person part")
        return NONE if header.endswith(b',""') else GONE

    def _tell(self, chain: _Chain, header: rows.Header) -> None:
        facts = header.facts
        if chain.piece.stopped:
            self._problem("order", chain.writer, header.seq, "the row is behind the one that ended the chain")
        if header.kind in (STARTED, JOINED):
            source = f"row {header.seq} of {chain.writer}"
            for writer, (seq, hash_) in facts["heads"].items():
                self._found.claims.append(Claim(source, writer, Head(seq, bytes.fromhex(hash_))))
        elif header.kind == PRUNED:
            for writer, (seq, hash_) in facts["ends"].items():
                self._found.ends.append((writer, Head(seq, bytes.fromhex(hash_))))
        elif header.kind == CLEARED:
            parts = facts["parts"]
            for writer, first, last in facts["spans"]:
                self._found.cleared.append(Cleared(writer, first, last, "person" in parts, "content" in parts))
        chain.piece.stopped = header.kind == STOPPED

    def _refer(self, writer: str, seq: int, content: bytes) -> None:
        try:
            parts = RecordedContent.FromString(rows.body(content))
        except DecodeError:
            return
        for part in (parts.request, parts.answers):
            if part.sha256:
                self._references.append((part.sha256, writer, seq))

    def _seen(self, claim: Claim) -> bool:
        """Whether the row that is claimed is in this range, as claimed."""
        chain = self._chains.get(claim.writer)
        return chain is not None and chain.hash_of(claim.head.seq) == claim.head.hash

    def _look_up(self, store: Store) -> None:
        """Whether the blobs are there and are what they are called; each once."""
        missing: dict[bytes, bool] = {}
        for name, writer, seq in self._references:
            if name not in missing:
                body = store.blob(name)
                missing[name] = body is None
                self._found.blobs += 1
                if body is not None and sha256(body).digest() != name:
                    self._problem("blob", writer, seq, f"the large content {name.hex()} was changed")
            if missing[name] and len(self._found.lost) < LIMIT:
                self._found.lost.append((writer, seq))
            elif missing[name]:
                self._found.truncated = True

    def _problem(self, kind: str, writer: str, seq: int, text: str) -> None:
        if len(self._found.problems) < LIMIT:
            self._found.problems.append(Problem(kind, writer, seq, text))
        else:
            self._found.truncated = True
