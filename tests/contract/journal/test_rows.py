"""What goes into a store comes out of it: rows, in order, once, and by everything that they are looked for by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.journal.databases import queries
from gateway.adapters.journal.databases.sqlite import SqliteStore
from gateway.adapters.journal.rows import JOINED, LOST, OPENED, STARTED, Chain, Head, Row
from gateway.adapters.journal.store import Batch, Span, Store, StoreError, Where
from tests.contract.journal.conftest import Place
from tests.contract.journal.samples import START, blob, control, draft, record, rows


def test_an_empty_journal(store: Store):
    assert store.heads() == {} == store.unjoined()
    assert store.bounds() == (0, -1)
    assert list(store.scan(0, 100)) == []
    assert list(store.select(Where())) == [] == store.since({}, 10)
    assert store.row("a", 1) is None and store.blob(bytes(32)) is None
    assert store.last_before("a", START) == 0
    assert store.of_person("ada", 10) == []
    store.append(Batch([]))
    assert store.bounds() == (0, -1)


def test_rows_come_back_as_they_were(store: Store):
    chain = Chain("a")
    written = [
        chain.seal(draft(1)),
        chain.seal(draft(2, person=None, principal=None, origin=None, content=None)),
        chain.seal(draft(3, person=bytes(range(256)), content=b"", facts={"text": 'ü 中 \x00 \\u0000 " \U0001f600'})),
        chain.seal(control(4, LOST, facts={"count": 3})),
    ]
    store.append(Batch(written))
    assert [store.row("a", seq) for seq in (1, 2, 3, 4, 5)] == [*written, None]
    scanned = list(store.scan(*store.bounds()))
    assert [Row(row[1], row[2], row[3].decode(), *row[4:]) for row in scanned] == written
    assert [type(value) for value in scanned[0]] == [int, str, int, bytes, bytes, str, str, bytes, bytes]
    assert list(store.select(Where())) == written[:3]
    assert store.heads() == {"a": chain.head}


def test_many_rows_and_batches_keep_their_order(store: Store):
    chain, other = Chain("a"), Chain("b")
    for count in (1, 199, 200, 201, 1000, 1001):
        store.append(Batch(rows(chain, count)))
        store.append(Batch(rows(other, 1)))
    first, last = store.bounds()
    scanned = list(store.scan(first, last))
    assert len(scanned) == 2602 + 6
    assert [row[0] for row in scanned] == sorted({row[0] for row in scanned})
    assert [row[2] for row in scanned if row[1] == "a"] == list(range(1, 2603))
    assert scanned[0][0] == first and scanned[-1][0] == last
    middle = scanned[1500][0]
    assert list(store.scan(first, middle)) + list(store.scan(middle + 1, last)) == scanned
    assert [row.seq for row in store.select(Where()) if row.writer == "a"] == list(range(1, 2603))
    assert [row.seq for row in store.select(Where(), newest_first=True, limit=3)] == [6, 2602, 2601]
    assert len(list(store.select(Where(), limit=1001))) == 1001


def test_positions_are_never_given_out_again(store: Store):
    old, new = Chain("old"), Chain("new")
    store.append(Batch(rows(old, 3)))
    last = store.bounds()[1]
    store.drop([Span("old", 1, 3)], record(new, "pruned"))
    assert store.bounds()[0] > last


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where(), [1, 2, 3, 4]),
        (Where(principal="ada"), [1, 3]),
        (Where(principal="bob"), [2, 3]),
        (Where(target="router"), [2]),
        (Where(outcome="OK"), [1, 3]),
        (Where(outcome="PERMISSION_DENIED"), [2]),
        (Where(outcome="POLICY_DENIED"), [2]),
        (Where(session="s2"), [3]),
        (Where(call="call-2"), [2]),
        (Where(decision="d-2"), [2]),
        (Where(since=START + 2_000_000), [2, 3, 4]),
        (Where(until=START + 2_000_000), [1]),
        (Where(since=START + 2_000_000, until=START + 2_000_001), [2]),
        (Where(kinds=(LOST,)), [5]),
        (Where(kinds=(LOST, OPENED)), [4, 5]),
        (Where(kinds=(STARTED, JOINED)), []),
        (Where(principal="ada", target="router"), []),
        (Where(principal="bob", target="router", outcome="POLICY_DENIED", session="session-1"), [2]),
        (Where(target="' OR 1=1 --"), []),
    ],
)
def test_what_is_looked_for_is_found(store: Store, where: Where, expected: list[int]):
    chain = Chain("a")
    kinds: list[dict[str, Any]] = [
        {},
        {"principal": "bob", "origin": "bob", "target": "router", "outcome": "PERMISSION_DENIED", "reason": "POLICY_DENIED",
         "decision": "d-2"},
        {"principal": "bob", "session": "s2"},
        {"kind": OPENED, "outcome": "", "principal": None, "origin": None, "person": None, "target": "", "session": ""},
    ]  # fmt: skip
    store.append(Batch([chain.seal(draft(number, **change)) for number, change in enumerate(kinds, 1)]))
    store.append(Batch([chain.seal(control(5, LOST))]))
    assert [row.seq for row in store.select(where)] == expected
    assert [row.seq for row in store.select(where, newest_first=True)] == expected[::-1]
    assert [row.seq for row in store.select(where, newest_first=True, limit=1)] == expected[-1:]


def test_a_listing_may_be_left_and_written_beside(store: Store):
    chain = Chain("a")
    store.append(Batch(rows(chain, 1500)))
    listing = store.select(Where())
    assert next(listing).seq == 1
    store.append(Batch(rows(chain, 1)))
    listing.close()  # type: ignore[attr-defined]
    assert store.heads()["a"].seq == 1501


def test_since_gives_what_is_new_of_each_writer(store: Store):
    a, b = Chain("a"), Chain("b")
    store.append(Batch(rows(a, 2)))
    store.append(Batch(rows(b, 2)))
    store.append(Batch(rows(a, 1)))
    assert [(row.writer, row.seq) for row in store.since({"a": 1}, 10)] == [("a", 2), ("b", 1), ("b", 2), ("a", 3)]
    assert [(row.writer, row.seq) for row in store.since({"a": 1}, 2)] == [("a", 2), ("b", 1)]
    assert store.since({"a": 3, "b": 2}, 10) == []


def test_last_before_a_time(store: Store):
    chain = Chain("a")
    written = rows(chain, 50)
    store.append(Batch(written))
    store.append(Batch(rows(Chain("b"), 60)))
    assert [store.last_before("a", START + number * 1_000_000) for number in (0, 1, 2, 50, 51, 99)] == [
        0,
        0,
        1,
        49,
        50,
        50,
    ]
    assert store.last_before("a", START + 1_500_000) == 1
    store.drop([Span("a", 1, 20)], record(Chain("c"), "pruned"))
    assert [store.last_before("a", START + number * 1_000_000) for number in (21, 22, 99)] == [0, 21, 50]


def test_a_repeat_changes_nothing(store: Store):
    chain = Chain("a")
    written = rows(chain, 300)
    batch = Batch(written, [blob(written[0], b"large")], {"b": 4})
    store.append(batch)
    before, size = list(store.scan(*store.bounds())), store.size()
    store.append(batch)
    assert list(store.scan(*store.bounds())) == before
    assert store.size() == size


def test_another_row_in_the_same_place_is_refused(store: Store):
    store.append(Batch(rows(Chain("a"), 3)))
    forged = Chain("a")
    with pytest.raises(StoreError, match="rows 1 to 1 of writer a") as caught:
        store.append(Batch(rows(forged, 1, target="other")))
    assert not caught.value.passing
    longer = rows(Chain("a"), 4)
    with pytest.raises(StoreError) as caught:
        store.append(Batch(longer))  # partly there: no transaction of ours leaves that behind
    assert not caught.value.passing
    assert store.heads()["a"].seq == 3
    store.append(Batch(longer[3:]))
    assert store.heads()["a"] == Head(4, longer[3].hash)


def test_who_is_joined(store: Store):
    a, b = Chain("a"), Chain("b")
    store.append(Batch(rows(a, 2)))
    assert store.unjoined() == {"a": a.head}
    store.append(Batch(rows(b, 1), joins={"a": 2}))
    assert store.unjoined() == {"b": b.head}
    store.append(Batch(rows(b, 1), joins={"a": 1}))
    assert store.unjoined() == {"b": b.head}  # an older head than the one that is known changes nothing
    store.append(Batch(rows(a, 1)))
    assert store.unjoined() == {"a": a.head, "b": b.head}


def test_the_salt_is_the_journals_own(place: Place):
    first = place.open().salt()
    assert len(first) == 32 and first != bytes(32)
    assert place.open().salt() == first


def test_opening_again_finds_everything(place: Place):
    store, chain = place.open(), Chain("a")
    written = rows(chain, 5)
    store.append(Batch(written))
    store.close()
    again = place.open(durable=True)
    assert list(again.select(Where())) == written
    again.append(Batch(rows(chain, 1)))
    assert again.heads() == {"a": chain.head}


@pytest.mark.parametrize(
    "where",
    [
        Where(principal="ada"),
        Where(target="router"),
        Where(session="s"),
        Where(call="c"),
        Where(decision="d"),
        Where(since=1),
        Where(kinds=(LOST, STARTED)),
    ],
)
def test_nothing_is_looked_for_by_reading_everything(tmp_path: Path, where: Where):
    store = SqliteStore(tmp_path / "journal.db", durable=False)
    condition, values = queries.matching(where)
    plan = store._file.read(f"EXPLAIN QUERY PLAN SELECT * FROM rows WHERE {condition} ORDER BY id", values)
    store.close()
    assert all("SCAN" not in step[3] for step in plan), plan
    assert any("INDEX rows_" in step[3] for step in plan), plan
