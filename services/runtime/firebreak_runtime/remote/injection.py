"""What an agent injects into a remote tool: what is asked of LangGraph for it, and what of that leaves the agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from firebreak.v1 import tool_pb2
from pydantic import BaseModel, ConfigDict, create_model

from firebreak_runtime.json_values import JsonError, dumps
from firebreak_runtime.remote.store_copy import Namespace, WriteError, aapply, acopy, apply, copy, namespaces
from firebreak_runtime.remote.surroundings import graph_runtime, settings
from firebreak_runtime.state_json import StateError, to_json

LIMIT = 1024**2
"""Bytes of all that is injected into one call. A target's limits.request_bytes may let less through."""

Wanted = tool_pb2.InjectedArgument
_STATE, _STORE = tool_pb2.INJECTED_KIND_STATE, tool_pb2.INJECTED_KIND_STORE
_RUNTIME, _CONFIG = tool_pb2.INJECTED_KIND_RUNTIME, tool_pb2.INJECTED_KIND_CONFIG


def marked(wanted: Sequence[Wanted], mark: str) -> dict[str, Wanted]:
    """The names under which LangGraph hands over what it injects. Nobody can guess `mark`, so no model can fill them."""
    return {f"firebreak_{mark}_{index}": want for index, want in enumerate(wanted) if _by_graph(want)}


def asked_of_graph(names: Mapping[str, Wanted]) -> type[BaseModel] | None:
    """The input schema in which LangGraph's ToolNode reads what it is to inject; None without LangGraph."""
    try:
        from langgraph.prebuilt import InjectedState, InjectedStore
    except ImportError:
        return None
    try:
        from langgraph.prebuilt import ToolRuntime as Runtime
    except ImportError:
        # Before 1.0 the runtime is the state, and the rest of it is found around the run.
        Runtime = InjectedState  # type: ignore[misc,assignment]
    fields: dict[str, Any] = {}
    for name, want in names.items():
        if want.kind == _STATE:
            marker: Any = InjectedState(want.state_field or None)
        else:
            marker = InjectedStore() if want.kind == _STORE else Runtime
        fields[name] = (Annotated[Any, marker], None if want.optional else ...)
    return create_model("Injected", __config__=ConfigDict(extra="allow"), **fields)


@dataclass
class Injection:
    """One call's injected values in the words of JSON, and the store of the agent that the tool gets a copy of."""

    values: dict[str, Any] = field(default_factory=dict)
    store: Any = None
    namespaces: list[Namespace] = field(default_factory=list)
    _place: tuple[str, ...] = ()

    def offer(self, store: Any, wanted: Iterable[str], *place: str) -> None:
        self.store, self.namespaces, self._place = store, namespaces(wanted), place

    def dump(self) -> bytes:
        """The JSON of the call. Raises StateError, also for more than LIMIT bytes."""
        if self.store is None:
            return self._dump()
        with _store_may_fail():
            snapshot = copy(self.store, self.namespaces)
        return self._dump(snapshot)

    async def adump(self) -> bytes:
        """As `dump`, on an event loop."""
        if self.store is None:
            return self._dump()
        with _store_may_fail():
            snapshot = await acopy(self.store, self.namespaces)
        return self._dump(snapshot)

    def write(self, writes: Sequence[tool_pb2.StoreWrite]) -> None:
        """Applies what the tool wrote to the store. Raises WriteError, and StateError where the store itself fails."""
        if writes:
            with _store_may_fail():
                apply(self.store, writes, self.namespaces)

    async def awrite(self, writes: Sequence[tool_pb2.StoreWrite]) -> None:
        """As `write`, on an event loop."""
        if writes:
            with _store_may_fail():
                await aapply(self.store, writes, self.namespaces)

    def _dump(self, snapshot: dict[str, Any] | None = None) -> bytes:
        if snapshot is not None:
            *above, last = self._place
            (self.values[above[0]] if above else self.values)[last] = snapshot
        try:
            data = dumps(self.values) if self.values else b""
        except JsonError as error:
            raise StateError(f"what the agent injects cannot be written as JSON: {error}") from None
        if len(data) > LIMIT:
            raise StateError(f"what the agent injects has {len(data)} bytes; at most {LIMIT} leave it")
        return data


@contextmanager
def _store_may_fail() -> Iterator[None]:
    try:
        yield
    except (StateError, WriteError):
        raise
    except Exception as error:
        raise StateError(f"the agent's store failed: {type(error).__name__}") from error


def collect(wanted: Iterable[Wanted], handed: Mapping[str, Any], fixed: Mapping[str, Any]) -> Injection:
    """What the tool wants of what LangGraph `handed` over, by the tool's own names, and of what is `fixed` for all calls.

    Raises StateError for a value that cannot leave the agent.
    """
    injection = Injection()
    asked = {want.name for want in wanted}
    for name in fixed:
        if name not in asked:  # the tool says that it has no such argument
            injection.values[name] = to_json(fixed[name], name)
    for want in wanted:
        if want.kind == _STORE:
            _store(injection, want, fixed.get(want.name, handed.get(want.name)))
        elif want.name in fixed:
            injection.values[want.name] = to_json(_chosen(want, fixed[want.name]), want.name)
        elif want.kind == _CONFIG:
            injection.values[want.name] = settings()
        elif want.kind == _RUNTIME and want.name in handed:
            _runtime(injection, want, handed[want.name])
        elif want.name in handed:
            injection.values[want.name] = to_json(_chosen(want, handed[want.name]), want.name)
    return injection


def _store(injection: Injection, want: Wanted, given: Any) -> None:
    store = getattr(graph_runtime(), "store", None) if given is None else given
    if store is not None:
        injection.offer(store, want.store_namespaces, want.name)


def _runtime(injection: Injection, want: Wanted, given: Any) -> None:
    """`given` is LangGraph's ToolRuntime; before 1.0 the state, and its runtime is around us."""
    runtime = given if type(given).__name__ == "ToolRuntime" else graph_runtime()
    state = given.state if runtime is given else given
    parts = {"state": _chosen(want, state), "config": settings()}
    if getattr(runtime, "context", None) is not None:
        parts["context"] = runtime.context
    injection.values[want.name] = {part: to_json(value, f"{want.name}.{part}") for part, value in parts.items()}
    store = getattr(runtime, "store", None)
    if want.store_namespaces and store is not None and injection.store is None:
        injection.offer(store, want.store_namespaces, want.name, "store")


def _chosen(want: Wanted, state: Any) -> Any:
    """Of a whole state the fields that the tool declares."""
    if not want.state_fields or want.state_field:
        return state
    if isinstance(state, Mapping):
        return {name: state[name] for name in want.state_fields if name in state}
    if isinstance(state, (list, tuple)):
        return state
    return {name: getattr(state, name) for name in want.state_fields if hasattr(state, name)}


def _by_graph(want: Wanted) -> bool:
    """A store that the tool can do without is looked for around the run: ToolNode fails where the graph has none."""
    return want.kind in (_STATE, _RUNTIME) or (want.kind == _STORE and not want.optional)
