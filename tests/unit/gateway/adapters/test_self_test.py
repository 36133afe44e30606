"""What a service must not reach, as far as the gateway knows: its own keys and listeners, and the other services."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.adapters.self_test import out_of_reach
from gateway.config import GatewayConfig, Listener, Quotas, ServiceEntry, ServiceTls
from gateway.targets import Target
from tests.calls import make_target


def config(root: Path) -> GatewayConfig:
    return GatewayConfig.model_validate(
        {
            "listeners": (
                Listener(name="public", address="127.0.0.1:7500", accept=("jwt",)),
                Listener(name="services", address="unix:gateway.sock", accept=("jwt",)),
            ),
            "admin": "127.0.0.1:7501",
            "identity": {
                "session_keys": "session-keys",
                "issuers": (
                    {"name": "users", "issuer": "u", "audience": "a", "jwks": "users/jwks.json"},
                    {"name": "far", "issuer": "f", "audience": "a", "jwks": "https://far.test/jwks.json"},
                ),
            },
            "policy": {"path": "policies"},
            "services": ({"path": "services/calculator"},),
        }
    )


def service(name: str, root: Path) -> Target:
    made = make_target(name)
    made.address, made.socket = f"unix:{name}.sock", str(root / f"real-{name}.sock")
    return made


def test_keys_listeners_and_other_services_are_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("session-keys/k.json", "users/jwks.json", "users/key.json", "one.json", "two.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    listening = []
    for name in ("one", "two"):
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(f"real-{name}.sock")  # relative: pytest's own folders are too deep for a socket's path
        (tmp_path / f"{name}.sock").symlink_to(tmp_path / f"real-{name}.sock")
        listening.append(bound)
    one, two = service("one", tmp_path), service("two", tmp_path)
    found = out_of_reach(config(tmp_path), tmp_path, (one, two), one)
    names = ("session-keys/k.json", "two.json", "users/jwks.json", "users/key.json")
    assert found.files == tuple(str(tmp_path / name) for name in names)
    assert found.sockets == (str(tmp_path / "real-two.sock"), str(tmp_path / "two.sock"))
    assert found.addresses == ("127.0.0.1:7501", "127.0.0.1:7500"), "its own door is none of them"
    for bound in listening:
        bound.close()


def test_what_is_not_there_proves_nothing(tmp_path: Path) -> None:
    one, two = service("one", tmp_path), make_target("two")
    two.address = "127.0.0.1:9999"
    found = out_of_reach(config(tmp_path), tmp_path, (one, two), one)
    assert (found.files, found.sockets) == ((), ())


def test_the_gateways_key_for_services_and_its_password_for_redis_are_out_of_reach(tmp_path: Path) -> None:
    for name in ("own.key", "own.crt", "redis.password"):
        (tmp_path / name).write_text("")
    tls = ServiceTls(ca="ca.crt", certificate="own.crt", key="own.key")
    entry = ServiceEntry(path="services/far", address="far:1", identity="service:far", tls=tls)
    base = config(tmp_path)
    identity = base.identity.model_copy(update={"issuers": (base.identity.issuers[1],)})
    quotas = Quotas(redis="redis://redis", password_file="redis.password")
    changed = base.model_copy(update={"identity": identity, "services": (entry,), "quotas": quotas})
    found = out_of_reach(changed, tmp_path, (), service("far", tmp_path))
    assert found.files == (str(tmp_path / "own.key"), str(tmp_path / "redis.password"))
