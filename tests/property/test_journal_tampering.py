"""No change to a journal, however small, goes unnoticed: one bit, one row, one row's place, or a chain written anew."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.adapters.journal.rows import JOINED, LOST, Chain, Draft, Head, Row, link, read_header
from gateway.adapters.journal.store import Span
from tests.unit.gateway.adapters.journal.memory_store import MemoryStore
from tests.unit.gateway.adapters.journal.written import Wall, calls, drafted, kinds, started

picks = st.integers(0, 10**6)


def journal(shape: list[tuple[int, int]]) -> tuple[MemoryStore, dict[str, Head]]:
    """Two gateways that take turns, as `shape` says, after one that has stopped; some rows have lost parts on record.

    With the heads that were noted outside.
    """
    store, wall = MemoryStore(), Wall()
    old = started(store, "old", wall)
    calls(old, wall, 5)
    old.stop()
    authors = [started(store, name, wall) for name in ("left", "right")]
    authors[0].clear([Span("old", 2, 3)], person=True, content=True, facts={"why": "person"})
    authors[0].clear([Span("old", 4, 4)], person=False, content=True, facts={"why": "age"})
    authors[1].add([drafted(wall.now, blob=b"large"), drafted(wall.now, kind="opened", content=None)])
    for who, count in shape:
        calls(authors[who], wall, count, principals=("user:ada", "user:bob"))
        authors[1 - who].join()
    calls(authors[0], wall, 2)
    return store, {author.writer: author.head for author in authors}


shapes = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 4)), max_size=4)


def pick(store: MemoryStore, which: int, fits: Callable[[Row], bool] = lambda _: True) -> int:
    """The position of some row that fits."""
    fitting = [position for position, row in sorted(store.rows.items()) if fits(row)]
    assume(fitting)
    return fitting[which % len(fitting)]


def flipped(data: bytes, bit: int) -> bytes:
    index = bit // 8 % len(data)
    return data[:index] + bytes([data[index] ^ 1 << bit % 8]) + data[index + 1 :]


@given(shapes)
def test_as_it_was_written_it_is_whole(shape: list[tuple[int, int]]) -> None:
    assert kinds(*journal(shape)) == set()


@given(shapes, picks, picks, st.sampled_from(["hash", "person", "content"]))
def test_one_bit(shape: list[tuple[int, int]], which: int, bit: int, column: str) -> None:
    store, heads = journal(shape)
    position = pick(store, which, lambda row: getattr(row, column) is not None)
    row = store.rows[position]
    store.rows[position] = row._replace(**{column: flipped(getattr(row, column), bit)})
    assert "changed" in kinds(store, heads)


@given(shapes, picks, picks)
def test_one_bit_of_a_header(shape: list[tuple[int, int]], which: int, bit: int) -> None:
    store, heads = journal(shape)
    position = pick(store, which)
    row = store.rows[position]
    index = bit // 7 % len(row.header)
    character = chr(ord(row.header[index]) ^ 1 << bit % 7)
    store.rows[position] = row._replace(header=row.header[:index] + character + row.header[index + 1 :])
    assert "changed" in kinds(store, heads)


@given(shapes, picks, st.sampled_from(["principal", "origin"]), st.sampled_from([None, "", "user:eve"]))
def test_a_column_that_queries_use(shape: list[tuple[int, int]], which: int, column: str, value: str | None) -> None:
    store, heads = journal(shape)
    position = pick(store, which, lambda row: getattr(row, column) != value)
    store.rows[position] = store.rows[position]._replace(**{column: value})
    assert "changed" in kinds(store, heads)


@given(shapes, picks, st.sampled_from([("person",), ("content",), ("principal", "origin", "person")]))
def test_a_part_is_gone(shape: list[tuple[int, int]], which: int, columns: tuple[str, ...]) -> None:
    store, heads = journal(shape)
    position = pick(store, which, lambda row: getattr(row, columns[-1]) is not None)
    store.rows[position] = store.rows[position]._replace(**dict.fromkeys(columns))
    assert "erased" in kinds(store, heads)


@given(shapes, picks)
def test_a_part_that_never_was(shape: list[tuple[int, int]], which: int) -> None:
    store, heads = journal(shape)
    position = pick(store, which, lambda row: row.content is None)
    store.rows[position] = store.rows[position]._replace(content=b"forged")
    assert kinds(store, heads)


@given(shapes, picks, st.booleans())
def test_a_row_is_gone(shape: list[tuple[int, int]], which: int, noted: bool) -> None:
    store, heads = journal(shape)
    del store.rows[pick(store, which)]
    assert kinds(store, heads if noted else None) & {"missing", "cut"}


@given(shapes, picks, picks)
def test_two_rows_of_a_chain_change_places(shape: list[tuple[int, int]], one: int, other: int) -> None:
    store, heads = journal(shape)
    first = pick(store, one)
    second = pick(store, other, lambda row: row.writer == store.rows[first].writer and row != store.rows[first])
    store.rows[first], store.rows[second] = store.rows[second], store.rows[first]
    assert "order" in kinds(store, heads)


@given(shapes, picks, picks)
def test_two_rows_change_numbers(shape: list[tuple[int, int]], one: int, other: int) -> None:
    store, heads = journal(shape)
    first, second = pick(store, one), pick(store, other)
    assume(first != second)
    a, b = store.rows[first], store.rows[second]
    store.rows[first] = a._replace(writer=b.writer, seq=b.seq)
    store.rows[second] = b._replace(writer=a.writer, seq=a.seq)
    assert kinds(store, heads)


@given(shapes, picks, st.booleans())
def test_a_row_is_there_twice(shape: list[tuple[int, int]], which: int, renumbered: bool) -> None:
    store, heads = journal(shape)
    row = store.rows[pick(store, which)]
    last = max(store.rows)
    if renumbered:
        row = row._replace(seq=store.writers[row.writer].seq + 1)
    store.rows[last + 1] = row
    assert "order" in kinds(store, heads)


@given(shapes, picks, st.booleans(), st.booleans())
def test_a_chain_is_cut_short(shape: list[tuple[int, int]], which: int, noted: bool, forged: bool) -> None:
    """Even where the journal's own note of the end is forged: it is noted outside, or in another chain."""
    store, heads = journal(shape)
    row = store.rows[pick(store, which)]
    named = {
        writer: max(known["heads"].get(writer, [0])[0] for known in _joining(store))
        for writer in ("old", "left", "right")
    }
    assume(noted or not forged or row.seq <= named[row.writer])
    for position in [at for at, each in store.rows.items() if each.writer == row.writer and each.seq >= row.seq]:
        del store.rows[position]
    before = store.row(row.writer, row.seq - 1)
    if forged and before is not None:
        store.writers[row.writer] = Head(before.seq, before.hash)
    elif forged:
        del store.writers[row.writer]
    assert kinds(store, heads if noted else None)


@given(shapes, picks)
def test_the_beginning_of_a_chain_is_gone(shape: list[tuple[int, int]], which: int) -> None:
    store, heads = journal(shape)
    row = store.rows[pick(store, which, lambda row: row.seq < store.writers[row.writer].seq)]
    for position in [at for at, each in store.rows.items() if each.writer == row.writer and each.seq <= row.seq]:
        del store.rows[position]
    assert "missing" in kinds(store, heads)


@given(shapes, picks, st.booleans())
def test_a_chain_is_written_anew(shape: list[tuple[int, int]], which: int, noted: bool) -> None:
    """From one row on, with every hash as it has to be and the journal's own note of the end too."""
    store, heads = journal(shape)
    forged = store.rows[pick(store, which)]
    claimed = max(known["heads"].get(forged.writer, [0])[0] for known in _joining(store))
    assume(claimed >= forged.seq or (noted and forged.writer in heads))
    before = store.row(forged.writer, forged.seq - 1)
    last = before.hash if before else bytes(32)
    for position, row in sorted(store.rows.items()):
        if row.writer == forged.writer and row.seq >= forged.seq:
            header = row.header.replace('"calculator"', '"handbook"', 1).replace('"gateway":"', '"gateway":"9', 1)
            header = header.replace('"parts":', '"forged":1,"parts":').replace('"heads":{', '"h":1,"heads":{')
            header = header.replace('"stopped","', '"stopped","x', 1)
            last = link(last, header.encode())
            store.rows[position] = row._replace(header=header, hash=last)
    store.writers[forged.writer] = store.writers[forged.writer]._replace(hash=last)
    assert "fork" in kinds(store, heads if noted else None)


@given(shapes, st.booleans())
def test_a_row_behind_the_end_of_a_stopped_chain(shape: list[tuple[int, int]], noted: bool) -> None:
    store, heads = journal(shape)
    chain = Chain("old", store.writers["old"])
    row = chain.seal(Draft(at=read_header(store.row("old", chain.head.seq).header).at, kind=LOST))  # type: ignore[union-attr]
    store.rows[max(store.rows) + 1] = row
    if noted:
        store.writers["old"] = chain.head
    assert "order" in kinds(store, heads)


@given(shapes, st.integers(2, 4))
def test_what_was_erased_is_there_again(shape: list[tuple[int, int]], seq: int) -> None:
    store, heads = journal(shape)
    untouched, wall = MemoryStore(), Wall()
    old = started(untouched, "old", wall)
    calls(old, wall, 5)
    position = pick(store, 0, lambda row: (row.writer, row.seq) == ("old", seq))
    store.rows[position] = untouched.row("old", seq)  # type: ignore[assignment]
    assert kinds(store, heads) == {"kept"}


@given(shapes, st.one_of(st.none(), picks))
def test_a_large_content(shape: list[tuple[int, int]], bit: int | None) -> None:
    store, heads = journal(shape)
    (name,) = store.bodies
    if bit is None:
        del store.bodies[name]
    else:
        store.bodies[name] = flipped(store.bodies[name], bit)
    assert kinds(store, heads) == {"blob"}


@given(shapes, st.sampled_from(["old", "left", "right"]))
def test_a_whole_chain_is_gone(shape: list[tuple[int, int]], writer: str) -> None:
    store, heads = journal(shape)
    for position in [at for at, row in store.rows.items() if row.writer == writer]:
        del store.rows[position]
    assert "gone" in kinds(store)
    del store.writers[writer]
    assert "gone" in kinds(store, heads)


def _joining(store: MemoryStore) -> list[dict[str, dict[str, list[int]]]]:
    headers = [read_header(row.header) for row in store.rows.values()]
    return [dict(header.facts) for header in headers if header.kind in ("started", JOINED)]
