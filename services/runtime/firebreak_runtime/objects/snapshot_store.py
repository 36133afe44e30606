"""The agent's store inside a tool's process: a copy of what the tool may read, which keeps what the tool writes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from firebreak.v1 import tool_pb2
from langgraph.store.base import BaseStore, Item, ListNamespacesOp, Op, PutOp, Result, SearchOp
from langgraph.store.memory import InMemoryStore
from typing_extensions import override

from firebreak_runtime.json_values import dumps
from firebreak_runtime.state_json import dump_state

_Key = tuple[tuple[str, ...], str]


class StoreUseError(RuntimeError):
    """The tool asked the store for what a copy cannot give; the text says what to change."""


class SnapshotStore(BaseStore):
    """Answers reads of the namespaces that were copied and collects writes to them for the agent to apply.

    A read or a write elsewhere, or a search by meaning in a store that has an index, raises StoreUseError: an empty answer
    would be a wrong one.
    """

    def __init__(self, snapshot: dict[str, Any]) -> None:
        """Raises KeyError, TypeError or ValueError for what is no snapshot."""
        self._within = [tuple(str(label) for label in namespace) for namespace in snapshot["namespaces"]]
        self._indexed = bool(snapshot.get("indexed"))
        self.supports_ttl = bool(snapshot.get("ttl"))
        self._copy = InMemoryStore()
        self._dates: dict[_Key, tuple[datetime, datetime]] = {}
        self.writes: list[tool_pb2.StoreWrite] = []
        for item in snapshot["items"]:
            namespace, key = tuple(item["namespace"]), item["key"]
            self._copy.put(namespace, key, dict(item["value"]))
            self._dates[namespace, key] = (
                datetime.fromisoformat(item["created"]),
                datetime.fromisoformat(item["updated"]),
            )

    @override
    def batch(self, ops: Iterable[Op]) -> list[Result]:
        asked = list(ops)
        for op in asked:
            self._check(op)
        writes = [_write(op) for op in asked if isinstance(op, PutOp)]
        results = self._copy.batch(asked)
        self.writes.extend(writes)
        for op in asked:
            if isinstance(op, PutOp):
                self._dates.pop((op.namespace, op.key), None)
        return [self._dated(result) for result in results]

    @override
    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return self.batch(ops)

    def _check(self, op: Op) -> None:
        if isinstance(op, ListNamespacesOp):
            prefixes = [match.path for match in op.match_conditions or () if match.match_type == "prefix"]
            self._inside(prefixes[0] if prefixes else ())
            return
        self._inside(op.namespace_prefix if isinstance(op, SearchOp) else op.namespace)
        if isinstance(op, SearchOp) and op.query and self._indexed:
            raise StoreUseError("a tool in a process of its own cannot search the agent's store by meaning")

    def _inside(self, namespace: tuple[Any, ...]) -> None:
        if not any(namespace[: len(prefix)] == prefix for prefix in self._within):
            name = ".".join(map(str, namespace))
            raise StoreUseError(
                f"the namespace {name!r} of the agent's store is not named under store: in service.yaml"
            )

    def _dated(self, result: Result) -> Result:
        """With the times that the agent's store knows, not those of the copy."""
        if isinstance(result, list):
            return [self._dated(part) for part in result]  # type: ignore[return-value,arg-type]
        if isinstance(result, Item):
            dates = self._dates.get((result.namespace, result.key))
            if dates:
                result.created_at, result.updated_at = dates
        return result


def _write(op: PutOp) -> tool_pb2.StoreWrite:
    """Raises StateError for a value that cannot cross; the store has not taken it then."""
    where = ".".join((*op.namespace, op.key))
    value = b"" if op.value is None else dump_state(dict(op.value), f"store.{where}", objects=False)
    write = tool_pb2.StoreWrite(namespace=op.namespace, key=op.key, value_json=value)
    if op.index is not None:
        write.index_json = dumps(op.index)
    if op.ttl is not None:
        write.ttl = op.ttl
    return write
