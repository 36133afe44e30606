"""The arguments of a tool that no model fills: what its annotations say of them, as the contract tells it to an agent."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from firebreak.v1 import tool_pb2
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId
from langchain_core.tools.base import get_all_basemodel_annotations
from pydantic import BaseModel
from typing_extensions import is_typeddict

from firebreak_runtime.service_file import ServiceFile

STATE = tool_pb2.INJECTED_KIND_STATE
STORE = tool_pb2.INJECTED_KIND_STORE
RUNTIME = tool_pb2.INJECTED_KIND_RUNTIME
CONFIG = tool_pb2.INJECTED_KIND_CONFIG
OTHER = tool_pb2.INJECTED_KIND_OTHER

GET_STORE = "get_store()"
"""Stands for an argument where the tool asks for the store itself; no argument can have this name."""


@dataclass(frozen=True)
class Injected:
    """One injected argument. `state` and `context` are the classes that hold them, None where the tool names none."""

    wire: tool_pb2.InjectedArgument
    annotation: Any
    state: type | None = None
    context: type | None = None

    @property
    def name(self) -> str:
        return str(self.wire.name)

    @property
    def kind(self) -> int:
        return int(self.wire.kind)


def declared(tool: BaseTool, service: ServiceFile) -> tuple[Injected, ...]:
    """What the tool wants injected; the call id is not among it: LangChain fills it.

    A store that service.yaml names is there for LangGraph's get_store() where no argument takes it.
    """
    found = [_declared(tool, service, name, annotation) for name, annotation in _annotations(tool).items()]
    wanted = [one for one in found if one]
    if service.store is not None and not any(one.kind in (STORE, RUNTIME) for one in wanted):
        wire = tool_pb2.InjectedArgument(name=GET_STORE, kind=STORE, optional=True, store_namespaces=service.store)
        wanted.append(Injected(wire, None))
    return tuple(wanted)


def call_ids(tool: BaseTool) -> frozenset[str]:
    """Names of the arguments that LangChain fills with the id of the tool call."""
    return frozenset(name for name, found in _annotations(tool).items() if _mark(found, InjectedToolCallId))


def _declared(tool: BaseTool, service: ServiceFile, name: str, annotation: Any) -> Injected | None:
    if annotation is RunnableConfig:
        return Injected(tool_pb2.InjectedArgument(name=name, kind=CONFIG), annotation)
    if _is_runtime(annotation):
        return _runtime(service, name, annotation)
    mark = _mark(annotation, InjectedToolArg)
    if mark is None or _mark(annotation, InjectedToolCallId):
        return None
    names = _names_of(mark)
    wire = tool_pb2.InjectedArgument(name=name, kind=OTHER, optional=not _is_required(tool, name))
    if "InjectedStore" in names:
        wire.kind = STORE
        wire.store_namespaces.extend(("",) if service.store is None else service.store)
        return Injected(wire, annotation)
    if "InjectedState" not in names:
        return Injected(wire, annotation)
    wire.kind, wire.state_field = STATE, getattr(mark, "field", None) or ""
    holder = _holder(typing.get_args(annotation)[0])
    if not wire.state_field:
        wire.state_fields.extend(_fields_of(holder))
    return Injected(wire, annotation, state=holder)


def _runtime(service: ServiceFile, name: str, annotation: Any) -> Injected:
    """LangGraph's ToolRuntime[Context, State]. It always has a store, so the store crosses only if service.yaml says so."""
    context, state = (*(_holder(arg) for arg in typing.get_args(annotation)), None, None)[:2]
    wire = tool_pb2.InjectedArgument(name=name, kind=RUNTIME, state_fields=_fields_of(state))
    wire.store_namespaces.extend(service.store or ())
    return Injected(wire, annotation, state, context)


def _is_runtime(annotation: Any) -> bool:
    """Told by its name: tools do not import langgraph for this."""
    kind = typing.get_origin(annotation) or annotation
    return isinstance(kind, type) and any(base.__name__ == "ToolRuntime" for base in kind.__mro__)


def _mark(annotation: Any, kind: type) -> Any:
    """The mark in Annotated[…] that is a `kind` or its class; None where there is none."""
    marks = typing.get_args(annotation)[1:] if hasattr(annotation, "__metadata__") else ()
    fits = (m for m in marks if isinstance(m, kind) or (isinstance(m, type) and issubclass(m, kind)))
    return next(fits, None)


def _names_of(mark: Any) -> set[str]:
    kind = mark if isinstance(mark, type) else type(mark)
    return {base.__name__ for base in kind.__mro__}


def _holder(annotation: Any) -> type | None:
    """The class that a state or a context is declared as: a TypedDict, a dataclass or a model."""
    fits = isinstance(annotation, type) and (
        is_typeddict(annotation) or is_dataclass(annotation) or issubclass(annotation, BaseModel)
    )
    return annotation if fits else None


def _fields_of(holder: type | None) -> tuple[str, ...]:
    """Names of its fields; none where it may hold others, too."""
    if holder is None:
        return ()
    if is_typeddict(holder):
        return tuple(holder.__annotations__)
    if is_dataclass(holder):
        return tuple(field.name for field in fields(holder))
    open_ended = typing.cast("type[BaseModel]", holder).model_config.get("extra") == "allow"
    return () if open_ended else tuple(typing.cast("type[BaseModel]", holder).model_fields)


def _is_required(tool: BaseTool, name: str) -> bool:
    field = getattr(tool.get_input_schema(), "model_fields", {}).get(name)
    return field is None or bool(field.is_required())


def _annotations(tool: BaseTool) -> dict[str, Any]:
    return {name: annotation for name, annotation in _pairs(tool) if name != "return"}


def _pairs(tool: BaseTool) -> Iterator[tuple[str, Any]]:
    if isinstance(tool.args_schema, type):
        yield from get_all_basemodel_annotations(tool.args_schema).items()
    # A tool made of a function hands everything on to it; its own _run says nothing.
    for name in ("func", "coroutine") if hasattr(tool, "func") else ("_run", "_arun"):
        function = getattr(tool, name, None)
        try:
            yield from typing.get_type_hints(getattr(function, "func", function), include_extras=True).items()
        except (NameError, TypeError, AttributeError):
            # A name that cannot be resolved here was not resolved by LangChain either: the argument is an ordinary one.
            continue
