"""A service.yaml."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gateway.config.bounds import Breaker, Effect, Limits, Retry
from gateway.config.recording import Recorded
from gateway.config.values import Config, Duration, Name, Size
from gateway.config.walls import Egress, Probes, Sandbox
from gateway.routes import Kind

_HOST_MEMORY = 512 * 1024**2
"""Bytes for a service's host and for what its workers share."""


class Uses(Config):
    """The services that an agent gets as its tools and its model.

    `model` is one name, or several in the order in which they are tried: the next one where the one before cannot answer.
    """

    tools: tuple[Name, ...] = Field(default=(), strict=False)
    model: Annotated[tuple[Name, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)] = Field(
        default=(), strict=False
    )


class Runtime(Config):
    """How the service's host runs its workers; read by the runtime, checked here too.

    `mode` "sync": one call per worker. "async": `calls_per_worker` calls on one worker's event loop. "auto": async for
    agents and for objects with a coroutine of their own. Without `reuse` each call of a "sync" service gets a worker of its
    own, which ends with it: nothing that one caller leaves behind is there for the next. `memory` bounds each worker,
    `start_timeout` the import.
    """

    mode: Literal["auto", "sync", "async"] = "auto"
    workers: int = Field(default=2, ge=1, le=64)
    spare: int = Field(default=1, ge=0, le=16)
    queue: int = Field(default=64, ge=0)
    calls_per_worker: int = Field(default=100, ge=1)
    reuse: bool = True
    memory: Size = 1024**3
    start_timeout: Duration = 90.0

    @model_validator(mode="after")
    def _reuse_fits_the_mode(self) -> Self:
        if not self.reuse and self.mode != "sync":
            raise ValueError("reuse can be false only with mode: sync, where a worker serves one call at a time")
        return self


_AbsolutePath = Annotated[str, Field(pattern=r"^/.*[^/]$")]
_Namespace = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")]


class ServiceConfig(Config):
    """A service.yaml: one agent, tool, model, retriever or embedding in a process of its own.

    `entrypoint` is "module:object" in the service's folder. `python` asks for an interpreter, e.g. "3.12".
    `effect` is only for tools; other kinds are READ (models, retrievers, embeddings) or MUTATING (agents). `env` are
    plain settings for the service's process, never secrets. `store` are namespaces of an agent's store that a tool may read
    and write; the agent's side and the tool's runtime keep to it. `egress` are the hosts that it may reach, `reads` files and
    folders of this machine that it may read: everything else is out of its reach.
    """

    name: Name
    kind: Annotated[Kind, BeforeValidator(lambda v: Kind(v) if isinstance(v, str) else v)]
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    entrypoint: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    python: Annotated[str, Field(pattern=r"^3\.\d+$")] | None = None
    effect: Annotated[Effect, BeforeValidator(lambda v: Effect(v) if isinstance(v, str) else v)] | None = None
    uses: Uses = Uses()
    env: dict[str, str] = Field(default_factory=dict)
    store: Annotated[tuple[_Namespace, ...], Field(min_length=1, strict=False)] | None = None
    egress: tuple[Egress, ...] = Field(default=(), strict=False)
    reads: tuple[_AbsolutePath, ...] = Field(default=(), strict=False)
    sandbox: Sandbox = Sandbox()
    probes: Probes = Probes()
    runtime: Runtime = Runtime()
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    retry: Retry = Retry()
    journal: Recorded = Recorded()

    @model_validator(mode="after")
    def _fields_fit_the_kind(self) -> Self:
        if self.kind is Kind.SERVICE:
            raise ValueError("kind: service is for routes in the gateway's file, which need no service.yaml")
        if self.kind is Kind.TOOL and self.effect is None:
            raise ValueError("a tool declares its effect: READ, IDEMPOTENT or MUTATING")
        if self.kind is not Kind.TOOL and self.effect is not None:
            raise ValueError("effect is only for tools")
        if self.kind is not Kind.TOOL and self.store is not None:
            raise ValueError("store is only for tools")
        if self.kind is not Kind.AGENT and self.uses != Uses():
            raise ValueError("uses is only for agents")
        return self

    @model_validator(mode="after")
    def _probes_fit_the_kind(self) -> Self:
        for probe in (*self.probes.allow, *self.probes.deny):
            if probe.action == "describe":
                continue
            if self.kind is Kind.TOOL and (probe.args is None or probe.prompt is not None):
                raise ValueError(f"probes: {probe.name} calls a tool, which takes args")
            if self.kind in (Kind.AGENT, Kind.MODEL) and (probe.prompt is None or probe.args is not None):
                raise ValueError(f"probes: {probe.name} calls {self.kind.value}, which takes a prompt")
            if self.kind not in (Kind.TOOL, Kind.AGENT, Kind.MODEL):
                raise ValueError(f"probes: {probe.name}: only action: describe is possible for kind {self.kind.value}")
        return self

    @property
    def memory(self) -> int:
        """Bytes that the whole service may use: as it says, else room for its host and for every worker at its own limit."""
        return self.sandbox.memory or _HOST_MEMORY + (self.runtime.workers + self.runtime.spare) * self.runtime.memory

    @property
    def declared_effect(self) -> Effect:
        """What a call does to the world: declared for a tool, by kind for the others."""
        return self.effect or (Effect.MUTATING if self.kind is Kind.AGENT else Effect.READ)
