"""A small world to attack: two issuers, one folder of session keys, two services, and clocks that only tests move."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.adapters.identity import MadeIdentity, make_identity
from gateway.call import Call, Facts, Metadata, Peer, Session
from gateway.config import Identity, Issuer, ServiceConfig
from gateway.core.deadline import Deadline
from gateway.routes import METHODS
from gateway.targets import Target

USERS = "https://users.test"
SERVICES = "https://services.test"
DEVELOPER_URI = "spiffe://firebreak.local/user/developer"
ASSISTANT_URI = "spiffe://firebreak.local/service/assistant"
IDENTITIES = {"service:assistant": "assistant", "service:calculator": "calculator", ASSISTANT_URI: "mesh"}
ACCEPT = {"jwt": ("jwt",), "mtls": ("mtls",), "both": ("jwt", "mtls")}
CALL = "/firebreak.v1.ToolService/Call"
DESCRIBE = "/firebreak.v1.ToolService/Describe"


@dataclass
class Time:
    """Both clocks, in seconds; they drift apart only where a test says so."""

    monotonic: float = 1000.0
    unix: float = 1_800_000_000.0

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.unix += seconds


def encode(value: object) -> str:
    """base64url of bytes, or of the JSON of anything else."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(header: Mapping[str, Any], claims: object, key: Key) -> str:
    """Any header over any payload, signed as the header's alg says; joserfc's own objections are switched off."""
    registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return jws.serialize_compact(dict(header), payload, key, registry=registry)


def ec_key(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


def key_set(*keys: ECKey | RSAKey | OKPKey) -> bytes:
    return json.dumps(KeySet(list(keys)).as_dict(private=False)).encode()


def session_key(folder: Path, kid: str) -> OctKey:
    """Puts a new session key into `folder`."""
    key = OctKey.generate_key(256, {"kid": kid})
    (folder / f"{kid}.json").write_text(json.dumps(key.as_dict()))
    return key


def target(name: str = "assistant") -> Target:
    config = ServiceConfig.model_validate(
        {"name": name, "kind": "agent", "version": "1.0.0", "entrypoint": "a:b", "uses": {"tools": ["calculator"]}}
    )
    return Target(config, "unix:none", f"service:{name}")


def call(
    metadata: Metadata = (),
    *,
    method: str = CALL,
    listener: str = "jwt",
    uris: tuple[str, ...] = (),
    deadline: float = 1030.0,
    call_id: str = "f" * 32,
    session: Session | None = None,
    to: Target | None = None,
) -> Call:
    return Call(
        id=call_id,
        method=METHODS[method],
        metadata=metadata,
        request=b"",
        deadline=Deadline(deadline),
        listener=listener,
        peer=Peer("test", uris),
        facts=Facts(started=0.0),
        session=session,
        target=to,
    )


@dataclass
class World:
    """Everything in `folder`; tests reach into the files as an operator would."""

    folder: Path
    time: Time = field(default_factory=Time)
    in_flight: set[str] = field(default_factory=set)
    users_key: ECKey = field(default_factory=lambda: ec_key("users-1"))
    services_key: ECKey = field(default_factory=lambda: ec_key("services-1"))

    def __post_init__(self) -> None:
        self.session_folder = self.folder / "session-keys"
        self.session_folder.mkdir()
        self.session_key = session_key(self.session_folder, "s-1")
        self.users_file, self.services_file = self.folder / "users.json", self.folder / "services.json"
        self.users_file.write_bytes(key_set(self.users_key))
        self.services_file.write_bytes(key_set(self.services_key))

    def config(self, **users: Any) -> Identity:
        """The configuration, with `users` changed in the first issuer's."""
        first = {"name": "users", "issuer": USERS, "jwks": str(self.users_file), "prefix": "user:", **users}
        second = {"name": "services", "issuer": SERVICES, "jwks": str(self.services_file), "prefix": "service:"}
        issuers = tuple(Issuer.model_validate({"audience": "firebreak", **issuer}) for issuer in (first, second))
        return Identity(issuers=issuers, session_keys=str(self.session_folder))

    def made(
        self,
        instance: str = "gateway-1",
        config: Identity | None = None,
        ca_bundle: Path | None = None,
        services: Mapping[str, str] = IDENTITIES,
    ) -> MadeIdentity:
        numbers = iter(range(1_000_000))
        return make_identity(
            config or self.config(),
            services,
            ACCEPT,
            self.in_flight,
            instance,
            lambda: self.time.monotonic,
            lambda: self.time.unix,
            ca_bundle=ca_bundle,
            new_id=lambda: f"{next(numbers):032x}",
        )

    def claims(self, issuer: str = USERS, sub: str = "developer", **changes: Any) -> dict[str, Any]:
        """Good claims with `changes`; a change to None takes the claim away."""
        now = int(self.time.unix)
        good = {"iss": issuer, "aud": "firebreak", "sub": sub, "iat": now, "nbf": now, "exp": now + 3600}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def user_token(self, **changes: Any) -> str:
        return sign({"alg": "ES256", "kid": self.users_key.kid}, self.claims(**changes), self.users_key)

    def service_token(self, sub: str = "assistant", **changes: Any) -> str:
        claims = self.claims(SERVICES, sub, **changes)
        return sign({"alg": "ES256", "kid": self.services_key.kid}, claims, self.services_key)


def bearer(token: str, *more: tuple[str, str]) -> Metadata:
    return (("authorization", f"Bearer {token}"), *more)
