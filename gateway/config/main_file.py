"""The gateway's one YAML file."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from gateway.config.bounds import Rate
from gateway.config.quotas import Quotas
from gateway.config.recording import Journal
from gateway.config.route import RouteConfig
from gateway.config.values import Config, Duration, Name, Size


class Tls(Config):
    """Server side of TLS; files in PEM, read again when they change. With `client_ca` a client certificate is required."""

    certificate: str
    key: str
    client_ca: str | None = None


class ServiceTls(Config):
    """Client side of TLS; files in PEM, read again when they change.

    `ca` signs the service's certificate, whose name is that of the address, or `name`. `certificate` with its `key` is shown to
    a service that asks for one.
    """

    ca: str
    certificate: str | None = None
    key: str | None = None
    name: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key come together: name both files, or neither")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """What it names: the authorities, then certificate and key where it has them."""
        return tuple(name for name in (self.ca, self.certificate, self.key) if name is not None)


class Listener(Config):
    """An address that takes calls: "host:port" or "unix:path". Without `tls` only loopback and unix are accepted, and with
    `plaintext` any: callers' tokens cross the network in the clear then, which is told wherever promises are.

    `accept` says which credentials count: "jwt" a bearer token in `authorization`, "mtls" the SPIFFE id of the client
    certificate. A connection older than `connection_age` gets no further calls, those on it go on, and its client connects
    anew: so clients spread over gateways that were added behind one address.
    """

    name: Name
    address: str
    accept: tuple[Literal["jwt", "mtls"], ...] = Field(strict=False, min_length=1)
    tls: Tls | None = None
    plaintext: bool = False
    connection_age: Duration | None = None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.plaintext and self.tls is not None:
            raise ValueError("plaintext contradicts tls: keep one of them")
        if self.plaintext and self._near:
            raise ValueError("plaintext has no effect on loopback or a unix socket: leave it out")
        if not (self._near or self.plaintext or self.tls is not None):
            raise ValueError(
                "a listener without tls is on loopback or a unix socket; plaintext: true allows any address, where tokens "
                "cross the network in the clear"
            )
        if "mtls" in self.accept and (self.tls is None or self.tls.client_ca is None):
            raise ValueError("accept: mtls needs tls with client_ca")
        return self

    @property
    def _near(self) -> bool:
        """Whether only this machine reaches it."""
        return self.address.startswith("unix:") or self.address.rsplit(":", 1)[0] in (
            "127.0.0.1",
            "localhost",
            "[::1]",
        )


class Issuer(Config):
    """Whose tokens count. `issuer` and `audience` must equal the token's; `jwks` is a file or an https address.

    The principal is `prefix` + the token's `sub`. With `subject_prefix` only subjects count that begin with it; it is taken
    away, and what remains holds no ":". `claims` are passed on to policy. `refresh` is how often the keys are read again; an
    unknown key id reads them at once, at most once a second. An https address is trusted by `ca_file` (PEM) instead of the
    system's authorities; the file is read for each request. It is asked without a credential: keys that only a token can
    fetch are a file.
    """

    name: Name
    issuer: str
    audience: str
    jwks: str
    ca_file: str | None = None
    prefix: str = ""
    subject_prefix: str = ""
    claims: tuple[str, ...] = Field(default=(), strict=False)
    refresh: Duration = 60.0
    leeway: Duration = 5.0

    @model_validator(mode="after")
    def _asked_with_care(self) -> Self:
        if self.ca_file and not self.jwks.startswith("https://"):
            raise ValueError("ca_file is for keys at an https:// address")
        return self


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

    `in_flight` calls from outside at once, and as many more that services make while they serve those. `session_calls`
    is how many calls services may make in all for one call from outside, however deep. `session_rate` is how fast they may
    make them: beyond it a call waits for its turn, so that an agent that never stops leaves others their share.
    """

    in_flight: int = Field(default=512, ge=1)
    principal_rate: Rate = Rate(per_second=500.0, burst=500)
    max_depth: int = Field(default=8, ge=0, le=64)
    session_calls: int = Field(default=1024, ge=1)
    session_rate: Rate = Rate(per_second=50.0, burst=20)
    request_bytes: Size = 4 * 1024**2
    max_deadline: Duration = 600.0


class Proof(Config):
    """How often it is proven that what is configured is in force, beside at the start and after each change of policy."""

    every: Duration = 60.0


class Telemetry(Config):
    """Where the record goes. Spans are exported when `otlp` (an http:// or https:// address, gRPC) is set."""

    log: Literal["json", "console"] = "json"
    otlp: str | None = None
    sample: float = Field(default=1.0, ge=0, le=1)


class ServiceEntry(Config):
    """A service behind the gateway: folder of its service.yaml, address it serves on, and the principal that it is.

    The address is "unix:path", "host:port" or "dns:///host:port"; calls go round all instances that the last one's name leads
    to. `tls` secures the connection to one that is no unix socket.

    A service that has the folder's name, a socket in .firebreak/run and "service:" before its name needs its `path` only.
    """

    path: str
    address: str
    identity: str
    tls: ServiceTls | None = None

    @model_validator(mode="after")
    def _over_a_network(self) -> Self:
        if self.tls is not None and self.address.startswith("unix:"):
            raise ValueError("tls is for an address that is no unix socket")
        return self

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(path := value.get("path"), str):
            return value
        name = path.rstrip("/").rpartition("/")[2]
        return {"address": f"unix:.firebreak/run/{name}.sock", "identity": f"service:{name}", **value}


class GatewayConfig(Config):
    """The gateway's one YAML file. Relative paths are relative to that file's folder.

    `sandbox` is the launcher's: "required" starts no service without all of its walls, "best-effort" with those that can be
    had here, "none" without. Without `quotas` rates are those of each gateway process.
    """

    listeners: tuple[Listener, ...] = Field(strict=False, min_length=1)
    admin: str
    identity: Identity
    policy: Policy
    admission: Admission = Admission()
    quotas: Quotas | None = None
    telemetry: Telemetry = Telemetry()
    journal: Journal = Journal()
    drain: Duration = 15.0
    sandbox: Literal["required", "best-effort", "none"] = "best-effort"
    proof: Proof = Proof()
    services: tuple[ServiceEntry, ...] = Field(default=(), strict=False)
    routes: tuple[RouteConfig, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _something_to_call(self) -> Self:
        if not self.services and not self.routes:
            raise ValueError("there is nothing to call: name services, or routes, or both")
        return self
