"""The copy of an agent's store: it answers like the store itself, or says that it cannot."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from firebreak_runtime.state_json import StateError

from tests.unit.runtime import frameworks  # noqa: F401 - langgraph warns of its own imports on 0.6

from firebreak_runtime.objects.snapshot_store import SnapshotStore, StoreUseError  # isort: skip

THEN = "2020-01-02T03:04:05+00:00"


def item(*namespace: str, key: str = "k", **value: Any) -> dict[str, Any]:
    return {"namespace": list(namespace), "key": key, "value": value, "created": THEN, "updated": THEN}


def copy(*items: Any, within: Any = ((),), **about: Any) -> SnapshotStore:
    return SnapshotStore({"namespaces": [list(name) for name in within], "items": list(items), **about})


def test_it_finds_filters_and_lists_like_a_store() -> None:
    store = copy(item("a", key="x", n=1), item("a", "b", key="y", n=2), item("c", key="z", n=3))

    assert [found.key for found in store.search(("a",))] == ["x", "y"]
    assert [found.key for found in store.search((), filter={"n": {"$gte": 2}}, limit=1)] == ["y"]
    assert store.list_namespaces() == [("a",), ("a", "b"), ("c",)]
    assert store.get(("a",), "none") is None


def test_times_are_those_of_the_agents_store_until_it_is_written() -> None:
    store = copy(item("a"))

    before = store.get(("a",), "k")
    store.put(("a",), "k", {"n": 2})
    after = store.get(("a",), "k")

    assert before is not None and before.created_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert after is not None and after.updated_at.year > 2020


def test_writes_are_kept_in_their_order() -> None:
    store = copy(item("a"), ttl=True)

    store.put(("a",), "k", {"n": 2}, index=["n"], ttl=5)
    store.put(("a",), "k", {"n": 3}, index=False)
    store.delete(("a",), "k")

    assert [(w.value_json, w.index_json, w.HasField("ttl") and w.ttl) for w in store.writes] == [
        (b'{"n":2}', b'["n"]', 5),
        (b'{"n":3}', b"false", False),
        (b"", b"", False),
    ]
    assert store.get(("a",), "k") is None


def test_a_time_to_live_needs_a_store_that_knows_it() -> None:
    with pytest.raises(NotImplementedError):
        copy().put(("a",), "k", {}, ttl=5)


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.get(("b",), "k"),
        lambda store: store.search(()),
        lambda store: store.put(("ab",), "k", {}),
        lambda store: store.delete(("b",), "k"),
        lambda store: store.list_namespaces(),
        lambda store: store.list_namespaces(suffix=("a",)),
        lambda store: store.list_namespaces(prefix=("b",)),
    ],
)
def test_what_was_not_copied_is_no_empty_answer(use: Any) -> None:
    with pytest.raises(StoreUseError, match=r"is not named under store: in service\.yaml"):
        use(copy(within=[("a",)]))


def test_what_was_copied_is_there() -> None:
    store = copy(item("a", "b"), within=[("a",)])

    assert store.get(("a", "b"), "k") and store.search(("a",)) and store.list_namespaces(prefix=("a",))


def test_a_search_by_meaning_needs_the_store_itself() -> None:
    assert copy(item("a")).search((), query="tea")  # a store without an index takes no notice of it
    with pytest.raises(StoreUseError, match="by meaning"):
        copy(item("a"), indexed=True).search((), query="tea")


def test_a_value_that_cannot_leave_is_not_taken() -> None:
    store = copy()

    with pytest.raises(StateError, match=r"store\.a\.k\.it is a object"):
        store.put(("a",), "k", {"it": object()})
    assert store.get(("a",), "k") is None and store.writes == []
