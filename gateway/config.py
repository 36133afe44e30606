"""Configuration as frozen types. An unknown key is an error; every field has an effect that a test shows.

Durations are written "250ms", "10s", "2m" and held in seconds; sizes are written "64KiB", "1MiB" and held in bytes.
adapters/config_files.py reads these from YAML and names file and line of what is wrong.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.routes import Kind

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def parse_duration(value: object) -> float:
    """Seconds of a duration such as "250ms"; raises ValueError."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is written like "250ms", "10s", "2m", "1h" or "30d"')
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError("a duration is more than zero")
    return seconds


def parse_size(value: object) -> int:
    """Bytes of a size such as "64KiB"; raises ValueError."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size is written like "512B", "64KiB", "1MiB" or "1GiB"')
    size = int(match[1]) * _BYTES[match[2]]
    if size <= 0:
        raise ValueError("a size is more than zero")
    return size


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class Config(BaseModel):
    """Root of every configuration type: strict, frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Effect(StrEnum):
    """What a call does to the world; decides what may be retried."""

    READ = "READ"
    IDEMPOTENT = "IDEMPOTENT"
    MUTATING = "MUTATING"


class Rate(Config):
    """A token bucket: `per_second` tokens flow in, at most `burst` are held; a call takes one."""

    per_second: float = Field(gt=0)
    burst: int = Field(ge=1)


class Tokens(Config):
    """Bounds of a model's tokens, in the model's own count.

    The service refuses a longer `prompt` and lets no answer grow beyond `answer`. `per_minute` is what each one for whom calls
    are made may use in prompts and answers together; the gateway refuses calls from then on until enough time has passed.
    """

    prompt: int | None = Field(default=None, ge=1)
    answer: int | None = Field(default=None, ge=1)
    per_minute: int | None = Field(default=None, ge=1)


class Limits(Config):
    """Bounds of one target's calls.

    `deadline` applies where the caller sets none, `max_deadline` always. `first_event` bounds the wait for the first
    response message, `idle` the wait between messages of a stream. `concurrency` is the number of calls at once; up to
    `queue` more wait for a place until their deadline. `tokens` is for models only.
    """

    deadline: Duration = 30.0
    max_deadline: Duration = 120.0
    first_event: Duration = 30.0
    idle: Duration = 30.0
    concurrency: int = Field(default=32, ge=1)
    queue: int = Field(default=32, ge=0)
    rate: Rate = Rate(per_second=200.0, burst=200)
    request_bytes: Size = 256 * 1024
    response_bytes: Size = 4 * 1024**2
    tokens: Tokens = Tokens()

    @model_validator(mode="after")
    def _default_within_maximum(self) -> Self:
        if self.deadline > self.max_deadline:
            raise ValueError("deadline is more than max_deadline")
        return self


class Breaker(Config):
    """When calls to a target stop for a while.

    Of the calls that ended within `window`, if there were at least `minimum_calls`: opens when `error_rate` of them
    failed, or when `slow_rate` of them took longer than `slow_call`. Stays open for `open_for`, then lets `probes` calls
    through (HALF_OPEN) and closes when all of them succeed.
    """

    window: Duration = 30.0
    minimum_calls: int = Field(default=10, ge=1)
    error_rate: float = Field(default=0.5, gt=0, le=1)
    slow_call: Duration = 20.0
    slow_rate: float = Field(default=0.9, gt=0, le=1)
    open_for: Duration = 10.0
    probes: int = Field(default=2, ge=1)


class Retry(Config):
    """Retries of calls that the target declares READ or IDEMPOTENT.

    At most `attempts` in all. The budget earns `budget_ratio` of a retry with each call and `budget_per_second` over time, so
    that retries stay a fraction of the load. The n-th wait is random between 0 and `backoff` × 2ⁿ, at most `backoff_max`.
    """

    attempts: int = Field(default=3, ge=1, le=10)
    budget_ratio: float = Field(default=0.2, ge=0, le=1)
    budget_per_second: float = Field(default=1.0, ge=0)
    backoff: Duration = 0.05
    backoff_max: Duration = 1.0

    @model_validator(mode="after")
    def _backoff_within_maximum(self) -> Self:
        if self.backoff > self.backoff_max:
            raise ValueError("backoff is more than backoff_max")
        return self


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


class Recording(StrEnum):
    """How much of a content the journal keeps: all of it, all but secrets and marks of persons, a keyed hash, or its size."""

    FULL = "full"
    MASKED = "masked"
    HASHED = "hashed"
    NONE = "none"


_Recording = Annotated[Recording, BeforeValidator(lambda v: Recording(v) if isinstance(v, str) else v)]


class Recorded(Config):
    """What the journal keeps of one target's calls: `requests` are prompts and arguments, `answers` what came back.

    `mask` are further names of fields, at any depth of the JSON, whose values are masked.
    """

    requests: _Recording = Recording.MASKED
    answers: _Recording = Recording.MASKED
    mask: tuple[str, ...] = Field(default=(), strict=False)


_Namespace = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")]


class ServiceConfig(Config):
    """A service.yaml: one agent, tool, model, retriever or embedding in a process of its own.

    `entrypoint` is "module:object" in the service's folder. `python` asks for an interpreter, e.g. "3.12".
    `effect` is only for tools; other kinds are READ (models, retrievers, embeddings) or MUTATING (agents). `env` are
    plain settings for the service's process, never secrets. `store` are namespaces of an agent's store that a tool may read
    and write; the agent's side and the tool's runtime keep to it.
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

    @property
    def declared_effect(self) -> Effect:
        """What a call does to the world: declared for a tool, by kind for the others."""
        return self.effect or (Effect.MUTATING if self.kind is Kind.AGENT else Effect.READ)


class Tls(Config):
    """Server side of TLS; files in PEM, read again when they change. With `client_ca` a client certificate is required."""

    certificate: str
    key: str
    client_ca: str | None = None


class Listener(Config):
    """An address that takes calls: "host:port" or "unix:path". Without `tls` only loopback and unix are accepted.

    `accept` says which credentials count: "jwt" a bearer token in `authorization`, "mtls" the SPIFFE id of the client
    certificate.
    """

    name: Name
    address: str
    accept: tuple[Literal["jwt", "mtls"], ...] = Field(strict=False, min_length=1)
    tls: Tls | None = None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        host = self.address.rsplit(":", 1)[0]
        if (
            self.tls is None
            and not self.address.startswith("unix:")
            and host not in ("127.0.0.1", "localhost", "[::1]")
        ):
            raise ValueError("a listener without tls is on loopback or a unix socket")
        if "mtls" in self.accept and (self.tls is None or self.tls.client_ca is None):
            raise ValueError("accept: mtls needs tls with client_ca")
        return self


class Issuer(Config):
    """Whose tokens count. `issuer` and `audience` must equal the token's; `jwks` is a file or an https address.

    The principal is `prefix` + the token's `sub`. `claims` are passed on to policy. `refresh` is how often the keys are read
    again; an unknown key id reads them at once, at most once a second.
    """

    name: Name
    issuer: str
    audience: str
    jwks: str
    prefix: str = ""
    claims: tuple[str, ...] = Field(default=(), strict=False)
    refresh: Duration = 60.0
    leeway: Duration = 5.0


class Identity(Config):
    """Who is believed. `session_keys` is a folder of symmetric JWKs for session tokens: the newest signs, all verify."""

    trust_domain: str = Field(default="firebreak.local", pattern=r"^[a-z0-9.-]+$")
    issuers: tuple[Issuer, ...] = Field(default=(), strict=False)
    session_keys: str


class Opa(Config):
    """A real OPA server, used when `policy.engine` is "opa"."""

    url: str = "http://127.0.0.1:8181"
    token_file: str | None = None


class Policy(Config):
    """Which engine decides, from which folder of Rego and data, within which time."""

    engine: Literal["embedded", "opa"] = "embedded"
    path: str
    timeout: Duration = 0.25
    reload: Duration = 0.25
    opa: Opa = Opa()


class Admission(Config):
    """Load shedding before anything costly: calls in flight in the whole gateway, rate per principal, depth of calls.

    `in_flight` calls from outside at once, and as many more that services make while they serve those.
    """

    in_flight: int = Field(default=512, ge=1)
    principal_rate: Rate = Rate(per_second=500.0, burst=500)
    max_depth: int = Field(default=8, ge=0, le=64)
    request_bytes: Size = 4 * 1024**2
    max_deadline: Duration = 600.0


class Telemetry(Config):
    """Where the record goes. Spans are exported when `otlp` (an http:// or https:// address, gRPC) is set."""

    log: Literal["json", "console"] = "json"
    otlp: str | None = None
    sample: float = Field(default=1.0, ge=0, le=1)


class Retention(Config):
    """How long the journal keeps what: `content` (prompts, arguments, answers), `person` (who, and what policy saw), and the
    `record` itself. When the journal holds more than `size`, the oldest contents go first, then the oldest rows.
    """

    content: Duration = 30 * 86400.0
    person: Duration = 90 * 86400.0
    record: Duration = 365 * 86400.0
    size: Size = 8 * 1024**3

    @model_validator(mode="after")
    def _parts_go_first(self) -> Self:
        # Whose content it is says the person part: without it nobody could have the content erased.
        if not self.content <= self.person <= self.record:
            raise ValueError("content is kept no longer than person, and person no longer than record")
        return self


class Journal(Config):
    """The record of every call.

    `mode` "required": a call fails rather than go unrecorded, and its record is durable before its answer leaves, for which
    it waits at most `timeout`. "best-effort": calls never wait; what could not be kept is counted and told. `store`
    "sqlite" keeps it in the file `path`, "postgresql" in the database whose connection string is in the file `dsn_file`.
    `heads` is a folder beside it that remembers where each chain ended, so that a shortened one is noticed. `buffer`
    bounds the memory for what waits to be written. Contents larger than `inline` are kept once, by their hash.
    """

    mode: Literal["required", "best-effort", "none"] = "best-effort"
    store: Literal["sqlite", "postgresql"] = "sqlite"
    path: str = ".firebreak/journal/journal.db"
    dsn_file: str | None = None
    heads: str = ".firebreak/journal/heads"
    timeout: Duration = 5.0
    buffer: Size = 64 * 1024**2
    inline: Size = 4 * 1024
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _database_is_named(self) -> Self:
        if self.mode != "none" and self.store == "postgresql" and self.dsn_file is None:
            raise ValueError("store: postgresql needs dsn_file, a file with the connection string")
        return self

    @model_validator(mode="after")
    def _inline_fits(self) -> Self:
        if self.inline > self.buffer:
            raise ValueError("inline is more than buffer")
        return self


class ServiceEntry(Config):
    """A service behind the gateway: folder of its service.yaml, address it serves on, and the principal that it is.

    A service that has the folder's name, a socket in .firebreak/run and "service:" before its name needs its `path` only.
    """

    path: str
    address: str
    identity: str

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(path := value.get("path"), str):
            return value
        name = path.rstrip("/").rpartition("/")[2]
        return {"address": f"unix:.firebreak/run/{name}.sock", "identity": f"service:{name}", **value}


_METHOD = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*/(?:[A-Za-z_]\w*|\*)", re.ASCII)
_OWN = ("firebreak.", "grpc.health.", "grpc.reflection.")


def _routable(method: str) -> str:
    if not _METHOD.fullmatch(method):
        raise ValueError('a method is written "package.Service/Method", or "package.Service/*" for all of a service')
    if method.startswith(_OWN):
        raise ValueError("the gateway serves this itself")
    return method


class RouteConfig(Config):
    """Any other gRPC service behind the gateway, reached by the full names of its `methods`.

    `descriptors` is a file with a serialized FileDescriptorSet: with it policy sees the arguments of calls with one request
    message, and calls that change nothing may be retried. `health` "grpc" asks grpc.health.v1; with "none" the service counts
    as ready. What its calls do to the world is `effect`, for all methods of the entry.
    """

    name: Name
    address: str
    methods: tuple[Annotated[str, AfterValidator(_routable)], ...] = Field(strict=False, min_length=1)
    descriptors: str | None = None
    health: Literal["none", "grpc"] = "none"
    effect: Annotated[Effect, BeforeValidator(lambda v: Effect(v) if isinstance(v, str) else v)] = Effect.MUTATING
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    retry: Retry = Retry()
    journal: Recorded = Recorded(requests=Recording.HASHED, answers=Recording.HASHED)

    @model_validator(mode="after")
    def _nothing_to_mask_by(self) -> Self:
        if Recording.MASKED in (self.journal.requests, self.journal.answers):
            raise ValueError(
                "messages of a routed service are bytes that nothing can be masked in: full, hashed or none"
            )
        return self

    @property
    def kind(self) -> Kind:
        return Kind.SERVICE

    @property
    def version(self) -> str:
        """Unknown: the service does not describe itself."""
        return ""

    @property
    def uses(self) -> Uses:
        """Nothing: a routed service gets no session to make calls with."""
        return Uses()

    @property
    def declared_effect(self) -> Effect:
        return self.effect


TargetConfig = ServiceConfig | RouteConfig
"""What the chain reads of a target."""


class GatewayConfig(Config):
    """The gateway's one YAML file. Relative paths are relative to that file's folder."""

    listeners: tuple[Listener, ...] = Field(strict=False, min_length=1)
    admin: str
    identity: Identity
    policy: Policy
    admission: Admission = Admission()
    telemetry: Telemetry = Telemetry()
    journal: Journal = Journal()
    drain: Duration = 15.0
    services: tuple[ServiceEntry, ...] = Field(default=(), strict=False)
    routes: tuple[RouteConfig, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _something_to_call(self) -> Self:
        if not self.services and not self.routes:
            raise ValueError("there is nothing to call: name services, or routes, or both")
        return self
