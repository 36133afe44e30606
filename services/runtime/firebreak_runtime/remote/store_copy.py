"""The agent's store for a tool in another process: a bounded copy goes, what the tool wrote comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from firebreak.v1 import tool_pb2

from firebreak_runtime.json_values import JsonError, loads
from firebreak_runtime.state_json import StateError, load_state, to_json

ITEMS = 1000
"""Items of a copy, and of what comes back."""

Namespace = tuple[str, ...]


class WriteError(ValueError):
    """What a tool wrote cannot be applied."""


def namespaces(wanted: Iterable[str]) -> list[Namespace]:
    """ "users.ann" as ("users", "ann"); "" as (), the whole store."""
    return [tuple(name.split(".")) if name else () for name in wanted]


def copy(store: Any, wanted: Sequence[Namespace]) -> dict[str, Any]:
    """A copy of the items below `wanted` in LangGraph's `store`. Raises StateError where they are too many, or no JSON."""
    return _copy(store, wanted, [store.search(name, limit=ITEMS + 1, refresh_ttl=False) for name in wanted])


async def acopy(store: Any, wanted: Sequence[Namespace]) -> dict[str, Any]:
    """As `copy`, on an event loop."""
    return _copy(store, wanted, [await store.asearch(name, limit=ITEMS + 1, refresh_ttl=False) for name in wanted])


def apply(store: Any, writes: Iterable[tool_pb2.StoreWrite], wanted: Sequence[Namespace]) -> None:
    """Writes what the tool wrote, in its order. Raises WriteError for more than ITEMS, for what is no item, and for a place
    outside of `wanted`: a tool is not trusted to keep to what it was given."""
    for namespace, key, value, options in _checked(writes, wanted):
        if value is None:
            store.delete(namespace, key)
        else:
            store.put(namespace, key, value, **options)


async def aapply(store: Any, writes: Iterable[tool_pb2.StoreWrite], wanted: Sequence[Namespace]) -> None:
    """As `apply`, on an event loop."""
    for namespace, key, value, options in _checked(writes, wanted):
        if value is None:
            await store.adelete(namespace, key)
        else:
            await store.aput(namespace, key, value, **options)


def _copy(store: Any, wanted: Sequence[Namespace], found: Iterable[Iterable[Any]]) -> dict[str, Any]:
    # Some stores find by the beginning of a text: "users" would find "users2", too.
    items = {(item.namespace, item.key): item for part in found for item in part if _within(item.namespace, wanted)}
    if len(items) > ITEMS:
        raise StateError(
            f"the tool takes more than {ITEMS} items of the agent's store; "
            "name fewer namespaces under store: in its service.yaml"
        )
    return {
        "namespaces": [list(name) for name in wanted],
        "items": [_item(item) for item in items.values()],
        "indexed": bool(getattr(store, "index_config", None)),
        "ttl": bool(store.supports_ttl),
    }


def _item(item: Any) -> dict[str, Any]:
    where = ".".join((*item.namespace, item.key))
    return {
        "namespace": list(item.namespace),
        "key": item.key,
        "value": to_json(item.value, f"store.{where}", objects=False),
        "created": item.created_at.isoformat(),
        "updated": item.updated_at.isoformat(),
    }


def _checked(
    writes: Iterable[tool_pb2.StoreWrite], wanted: Sequence[Namespace]
) -> list[tuple[Namespace, str, dict[str, Any] | None, dict[str, Any]]]:
    """All of them before the first is made."""
    try:
        found = [_read(write) for write in writes]
    except (StateError, JsonError):
        raise WriteError("what the tool wrote is no JSON") from None
    if len(found) > ITEMS:
        raise WriteError(f"the tool wrote more than {ITEMS} items")
    for namespace, *_ in found:
        if not namespace or not _within(namespace, wanted):
            raise WriteError("the tool wrote where it may not")
    return found


def _read(write: tool_pb2.StoreWrite) -> tuple[Namespace, str, dict[str, Any] | None, dict[str, Any]]:
    value = load_state(write.value_json, "value") if write.value_json else None
    if value is not None and not isinstance(value, dict):
        raise StateError("an item of a store is an object")
    options: dict[str, Any] = {"index": loads(write.index_json)} if write.index_json else {}
    if write.HasField("ttl"):
        options["ttl"] = write.ttl
    return tuple(write.namespace), write.key, value, options


def _within(namespace: Sequence[str], wanted: Iterable[Namespace]) -> bool:
    return any(tuple(namespace[: len(prefix)]) == prefix for prefix in wanted)
