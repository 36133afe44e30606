"""What the agent sent for the injected arguments of a call, as the tool takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ValidationError

from firebreak_runtime.objects.injection import CONFIG, GET_STORE, OTHER, RUNTIME, STATE, STORE, Injected
from firebreak_runtime.objects.late_runtime import with_runtime
from firebreak_runtime.objects.progress import Writer
from firebreak_runtime.objects.shared import invalid
from firebreak_runtime.state_json import StateError, from_json

if TYPE_CHECKING:
    from firebreak_runtime.objects.snapshot_store import SnapshotStore

_PARTS = {"state", "context", "config", "store"}


@dataclass(frozen=True)
class Filled:
    """Arguments beside those of the model, and the copy of the agent's store that the tool uses, if it has one."""

    args: dict[str, Any]
    store: SnapshotStore | None


def fill(
    declared: Sequence[Injected], given: Mapping[str, Any], tool_call_id: str, config: RunnableConfig, writer: Writer
) -> Filled:
    """Completes `config`, too: configurable values, and LangGraph's runtime. Raises ServedError ARGUMENTS_INVALID."""
    known = {one.name: one for one in declared}
    for name in given:
        if name not in known:
            raise invalid(f"injected.{name}", "the tool has no such injected argument")
    read = {name: _read(known[name], value) for name, value in given.items()}
    store = _store(known, read)
    _configure(config, known, read, store, writer)
    args = {name: value for name, value in read.items() if known[name].kind in (STATE, OTHER)}
    for one in declared:
        if one.kind == RUNTIME:
            args[one.name] = _runtime(one, read.get(one.name) or {}, tool_call_id, config, writer, store)
        elif one.kind == STORE and one.name != GET_STORE and store is not None:
            args[one.name] = store
    return Filled(args, store)


def _configure(
    config: RunnableConfig, known: Mapping[str, Injected], read: Mapping[str, Any], store: Any, writer: Writer
) -> None:
    runtimes = [value for name, value in read.items() if known[name].kind == RUNTIME]
    settings = [value for name, value in read.items() if known[name].kind == CONFIG]
    settings += [value["config"] for value in runtimes if "config" in value]
    # Names that begin so are LangGraph's own business inside one process.
    config["configurable"] = {n: v for part in settings for n, v in part.items() if not n.startswith("__")}
    with_runtime(config, next((value.get("context") for value in runtimes), None), store, writer)


def _read(one: Injected, value: Any) -> Any:
    """The value with its messages and objects. A store stays what it is: it is no value, but a description."""
    field = f"injected.{one.name}"
    try:
        if one.kind == STORE:
            return value
        if one.kind != RUNTIME:
            return _object(one, one.state if one.kind == STATE else None, from_json(value, field))
        if not isinstance(value, dict) or not set(value) <= _PARTS:
            raise invalid(field, f"it is an object with {', '.join(sorted(_PARTS))}")
        found = {name: part if name == "store" else from_json(part, f"{field}.{name}") for name, part in value.items()}
    except StateError as error:
        raise invalid(field, str(error)) from None
    if not isinstance(found.get("config", {}), dict):
        raise invalid(f"{field}.config", "it is an object")
    found["state"] = _object(one, one.state, found.get("state", {}))
    found["context"] = _object(one, one.context, found.get("context"))
    return found


def _object(one: Injected, holder: type | None, value: Any) -> Any:
    """The dataclass or model that the tool's annotation names, of the fields that crossed."""
    if one.kind == CONFIG and not isinstance(value, dict):
        raise invalid(f"injected.{one.name}", "it is an object")
    if holder is None or not isinstance(value, dict):
        return value
    try:
        if issubclass(holder, BaseModel):
            return holder.model_validate(value)
        return holder(**value) if is_dataclass(holder) else value
    except (ValidationError, TypeError, ValueError):
        raise invalid(f"injected.{one.name}", f"it does not fit {holder.__name__}, which the tool declares") from None


def _store(known: Mapping[str, Injected], read: Mapping[str, Any]) -> SnapshotStore | None:
    """One copy for all who ask: the store's own argument, else that of the runtime."""
    found = [(name, value) for name, value in read.items() if known[name].kind == STORE]
    found += [(n, v["store"]) for n, v in read.items() if known[n].kind == RUNTIME and "store" in v]
    if not found:
        return None
    from firebreak_runtime.objects.snapshot_store import SnapshotStore

    name, snapshot = found[0]
    try:
        return SnapshotStore(snapshot)
    except (KeyError, TypeError, ValueError):
        raise invalid(f"injected.{name}", "it is no copy of a store") from None


def _runtime(
    one: Injected, given: dict[str, Any], tool_call_id: str, config: RunnableConfig, writer: Writer, store: Any
) -> Any:
    """LangGraph's ToolRuntime."""
    kind = getattr(one.annotation, "__origin__", one.annotation)
    return kind(
        state=given.get("state", {}),
        context=given.get("context"),
        config=config,
        stream_writer=writer,
        tool_call_id=tool_call_id,
        store=store,
    )
