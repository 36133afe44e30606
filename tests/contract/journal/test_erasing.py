"""What is erased is gone, all of it and nothing else, together with the row that says so."""

from __future__ import annotations

import pytest

from gateway.adapters.journal.rows import CLEARED, PRUNED, Chain
from gateway.adapters.journal.store import Batch, Span, Store, StoreError, Where
from tests.contract.journal.samples import blob, record, rows


def parts(store: Store, seq: int) -> tuple[bool, bool, bool, bool]:
    """Which of principal, origin, person and content a row of writer a still has."""
    row = store.row("a", seq)
    assert row is not None
    return tuple(value is not None for value in row[4:])  # type: ignore[return-value]


def test_parts_of_some_rows(store: Store):
    chain, author = Chain("a"), Chain("author")
    store.append(Batch(rows(chain, 6)))
    done = store.clear([Span("a", 2, 3), Span("a", 5, 5)], person=False, content=True, record=record(author, CLEARED))
    assert done == 3
    assert [parts(store, seq)[3] for seq in range(1, 7)] == [True, False, False, True, False, True]
    assert all(parts(store, seq)[:3] == (True, True, True) for seq in range(1, 7))
    assert store.clear([Span("a", 1, 3)], person=True, content=False, record=record(author, CLEARED)) == 3
    assert [parts(store, seq) for seq in (1, 2, 4)] == [(False,) * 3 + (True,), (False,) * 4, (True,) * 4]
    assert store.clear([Span("a", 1, 3)], person=True, content=True, record=record(author, CLEARED)) == 1
    assert store.clear([Span("a", 1, 3)], person=True, content=True, record=record(author, CLEARED)) == 0
    assert store.heads()["author"].seq == 4
    assert list(store.select(Where(principal="ada", kinds=("call",), until=1))) == []


def test_everything_of_one_person_is_found(store: Store):
    a, b = Chain("a"), Chain("b")
    store.append(Batch([*rows(a, 2), *rows(a, 1, principal="bob", origin="bob"), *rows(a, 2, principal="bob")]))
    store.append(Batch(rows(b, 1)))
    assert store.of_person("ada", 10) == [Span("a", 1, 2), Span("a", 4, 5), Span("b", 1, 1)]
    assert store.of_person("ada", 3) == [Span("a", 1, 2), Span("a", 4, 4)]
    assert store.of_person("bob", 10) == [Span("a", 3, 5)]
    store.clear(store.of_person("ada", 10), person=True, content=True, record=record(Chain("c"), CLEARED))
    assert store.of_person("ada", 10) == []
    assert store.of_person("bob", 10) == [Span("a", 3, 3)]


def test_a_blob_stays_until_nobody_needs_it(store: Store):
    chain, author = Chain("a"), Chain("author")
    written = rows(chain, 3)
    shared, own = [blob(row, b"shared" * 1000) for row in written[:2]], blob(written[2], b"own" * 1000)
    store.append(Batch(written, [*shared, own]))
    assert store.blob(own.sha256) == own.body
    assert [store.blob(each.sha256) for each in shared] == [shared[0].body] * 2
    store.clear([Span("a", 1, 1), Span("a", 3, 3)], person=False, content=True, record=record(author, CLEARED))
    assert store.blob(shared[0].sha256) == shared[0].body
    assert store.blob(own.sha256) is None
    store.clear([Span("a", 2, 2)], person=True, content=False, record=record(author, CLEARED))
    assert store.blob(shared[0].sha256) == shared[0].body  # that was the other part
    store.drop([Span("a", 1, 2)], record(author, PRUNED))
    assert [store.blob(each.sha256) for each in (*shared, own)] == [None] * 3


def test_dropped_rows_are_gone(store: Store):
    chain, author = Chain("a"), Chain("author")
    store.append(Batch(rows(chain, 10)))
    assert store.drop([Span("a", 1, 7)], record(author, PRUNED)) == 7
    assert [row[2] for row in store.scan(*store.bounds()) if row[1] == "a"] == [8, 9, 10]
    assert store.heads()["a"] == chain.head


def test_a_chain_without_rows_has_no_head(store: Store):
    chain, author = Chain("a"), Chain("author")
    store.append(Batch(rows(chain, 4)))
    store.append(Batch(rows(author, 1), joins={"a": 4}))
    store.drop([Span("a", 1, 4)], record(author, PRUNED))
    assert set(store.heads()) == {"author"} == set(store.unjoined())


@pytest.mark.parametrize("what", ["clear", "drop"])
def test_erasing_and_its_record_are_one(store: Store, what: str):
    chain = Chain("a")
    store.append(Batch(rows(chain, 2)))
    taken = record(Chain("a"), CLEARED)  # its place is taken: it cannot be written
    with pytest.raises(StoreError):
        if what == "clear":
            store.clear([Span("a", 1, 2)], person=True, content=True, record=taken)
        else:
            store.drop([Span("a", 1, 1)], taken)
    assert parts(store, 1) == (True,) * 4


def test_erasing_again_after_an_unknown_end(store: Store):
    chain, author = Chain("a"), Chain("author")
    store.append(Batch(rows(chain, 4)))
    cleared = record(author, CLEARED)
    for _ in range(2):
        store.clear([Span("a", 1, 4)], person=False, content=True, record=cleared)
    pruned = record(author, PRUNED)
    for _ in range(2):
        store.drop([Span("a", 1, 2)], pruned)
    assert [row[1:3] for row in store.scan(*store.bounds())] == [("a", 3), ("a", 4), ("author", 1), ("author", 2)]


def test_size_follows(store: Store):
    chain, author = Chain("a"), Chain("author")
    empty = store.size()
    written = rows(chain, 200, content=bytes(2000), person=bytes(2000))
    store.append(Batch(written, [blob(written[0], b"x" * 400_000)]))
    full = store.size()
    assert 1_200_000 < full - empty < 2_400_000
    store.clear([Span("a", 1, 200)], person=False, content=True, record=record(author, CLEARED))
    cleared = store.size()
    assert cleared < full - 350_000  # SQLite keeps pages that are half full
    store.tidy()
    assert store.size() <= cleared
    store.drop([Span("a", 1, 199)], record(author, PRUNED))
    assert store.size() < empty + 60_000
