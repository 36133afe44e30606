"""The ways in which the chart configures a gateway, as far as they cost something, and what it writes for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from bench.setting import ROOT

IDENTITY = "../identity"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a gateway has beside itself, by the fields of the chart's values.

    `quotas`: redis.url; `journal`: journal.mode, in PostgreSQL; `opa`: opa.enabled; `tls`: a tls.mode other than off.
    """

    name: str
    quotas: bool = False
    journal: str = "none"
    opa: bool = False
    tls: bool = False


PLAIN = Shape("plain")
SHARED = Shape("redis+journal", quotas=True, journal="best-effort")
FULL = Shape("everything", quotas=True, journal="required", opa=True, tls=True)
SHAPES = (
    PLAIN,
    Shape("redis", quotas=True),
    Shape("journal-best-effort", journal="best-effort"),
    Shape("journal-required", journal="required"),
    Shape("opa", opa=True),
    Shape("tls", tls=True),
    SHARED,
    FULL,
)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a gateway listens and what it reaches; `opa` and `redis` are "" where it has none."""

    listener: str
    admin: str
    service: str
    redis: str
    opa: str


def configuration(shape: Shape, places: Places, issuer: dict[str, Any]) -> dict[str, Any]:
    """The firebreak.yaml that charts/gateway makes with its defaults, in a folder beside identity, policies and services."""
    chart = yaml.safe_load((ROOT / "charts/gateway/values.yaml").read_text())
    config: dict[str, Any] = {
        "admin": places.admin,
        "sandbox": "none",
        "listeners": [{"name": "public", "address": places.listener, "accept": ["jwt"]}],
        "identity": {"session_keys": f"{IDENTITY}/session-keys", "issuers": [issuer]},
        "policy": {"path": "../policies"},
        "admission": _admission(chart["admission"]),
        "journal": {"mode": shape.journal},
        "services": [
            {"path": "../services/calculator", "address": places.service, "identity": "service:calculator"},
        ],
    }
    if shape.quotas:
        config["quotas"] = {"redis": places.redis, "when_gone": chart["redis"]["whenGone"]}
    if shape.journal != "none":
        config["journal"] |= {"store": "postgresql", "dsn_file": "../dsn", "heads": "heads"}
    if shape.opa:
        config["policy"] |= {"engine": "opa", "opa": {"url": places.opa}}
    if shape.tls:
        config["listeners"][0]["tls"] = _server_side()
        config["services"][0]["tls"] = _client_side()
    return config


def _admission(values: dict[str, Any]) -> dict[str, Any]:
    rate = values["principalRate"]
    return {
        "in_flight": values["inFlight"],
        "principal_rate": {"per_second": rate["perSecond"], "burst": rate["burst"]},
    }


def _server_side() -> dict[str, str]:
    files = {"certificate": "gateway.crt", "key": "gateway.key", "client_ca": "ca.crt"}
    return {name: f"{IDENTITY}/{file}" for name, file in files.items()}


def _client_side() -> dict[str, str]:
    files = {"ca": "ca.crt", "certificate": "developer.crt", "key": "developer.key"}
    return {name: f"{IDENTITY}/{file}" for name, file in files.items()} | {"name": "localhost"}
