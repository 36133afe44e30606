"""Journals with calls in them, as their writers leave them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from firebreak.v1.record_pb2 import RecordedContent, RecordedPart

from gateway.adapters.journal.author import Author, Drafted
from gateway.adapters.journal.heads import Heads
from gateway.adapters.journal.proof.verify import Report, verify
from gateway.adapters.journal.rows import CALL, OPENED, Draft, Head, part
from gateway.adapters.journal.store import Store

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
T0 = 1_800_000_000 * SECOND


class Wall:
    """A clock that stands still until it is set. `now` is microseconds since 1970."""

    def __init__(self, now: int = T0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now / SECOND


def salt(length: int) -> bytes:
    return b"\x5a" * length


def drafted(
    at: int,
    *,
    principal: str = "user:ada",
    origin: str = "user:ada",
    kind: str = CALL,
    content: bytes | None = b"what was said",
    blob: bytes | None = None,
) -> Drafted:
    """A call of `principal` at `at`; with `blob`, a large content that is kept apart."""
    contents: list[tuple[bytes, bytes]] = []
    if blob is not None:
        name = sha256(blob).digest()
        contents = [(name, blob)]
        content = RecordedContent(
            request=RecordedPart(size=len(blob), count=1, exact=True, sha256=name)
        ).SerializeToString()
    draft = Draft(
        at=at,
        kind=kind,
        call=f"call-{at}",
        session="session",
        target="calculator",
        method="/m",
        outcome="" if kind == OPENED else "OK",
        facts={"ms": 1},
        principal=principal,
        origin=origin,
        person=part(b'{"principal":"%s"}' % principal.encode(), salt),
        content=None if content is None else part(content, salt),
    )
    return draft, contents


def started(store: Store, writer: str, wall: Wall, heads: Heads | None = None) -> Author:
    author = Author(store, writer, wall, heads)
    author.start({"gateway": "0.1.0"})
    return author


def calls(
    author: Author, wall: Wall, count: int, *, every: int = SECOND, principals: Sequence[str] = ("user:ada",)
) -> None:
    """`count` calls, one `every` microseconds, each with a content of its own."""
    batch = []
    for index in range(count):
        wall.now += every
        who = principals[index % len(principals)]
        batch.append(drafted(wall.now, principal=who, origin=who, content=b"said %d" % wall.now))
    author.add(batch)


def verified(store: Store, heads: dict[str, Head] | None = None) -> Report:
    """In this process; the store stays open."""
    return verify(keeping(store), heads or {}, processes=1)


def kinds(store: Store, heads: dict[str, Head] | None = None) -> set[str]:
    """Of the problems that verification finds."""
    return {problem.kind for problem in verified(store, heads).problems}


def keeping(store: Store) -> Callable[[], Store]:
    """A way to open a store that is open: closing what it gives does nothing."""
    return lambda: _Kept(store)  # type: ignore[return-value]


class _Kept:
    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def close(self) -> None:
        pass
