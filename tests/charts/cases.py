"""Values of many kinds, by name: what is rendered by the tests that hold for every object."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from tests.charts.helpers import APPLICATIONS, Object, ci, ci_values, render

Values = Mapping[str, Any]

ISSUER = {"name": "firebreak", "kind": "Issuer"}
TLS: dict[str, Values] = {
    "cert-manager": {"tls": {"mode": "certManager", "issuer": ISSUER}},
    "spiffe": {"tls": {"mode": "spiffe", "issuer": ISSUER}},
    "tls-secret": {"tls": {"mode": "secret", "secret": "pair"}},
}
SERVICE: dict[str, Values] = {
    "three": {"replicas": 3, "image": {"digest": f"sha256:{'a' * 64}"}},
    "kata": {"runtimeClassName": "kata", "userNamespace": True},
    "keys": {"secret": "provider-keys"},
    "other-namespace": {"gateway": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "front"}}}},
    **TLS,
}
EGRESS = [{"cidr": "192.0.2.10/32", "port": 5432}, {"cidr": "192.0.2.11/32", "port": 6379}]
KEYS = "https://login.example.org/keys"
REDIS = {"url": "redis://redis:6379/0", "passwordSecret": {"name": "redis", "key": "password"}}
GATEWAY: dict[str, Values] = {
    "autoscaled": {"autoscaling": {"enabled": True}, "scrapers": [{"ipBlock": {"cidr": "192.0.2.20/32"}}]},
    "opa": {"opa": {"enabled": True}},
    "redis": {"redis": REDIS, "egress": EGRESS},
    "postgresql": {"journal": {"postgresql": {"urlSecret": {"name": "journal", "key": "url"}}}, "egress": EGRESS},
    "redis-tls": {
        "redis": {**REDIS, "url": "rediss://firebreak@redis:6379/0", "caConfigMap": "redis-ca"},
        "egress": EGRESS,
    },
    "users": {"users": {"issuer": "https://login.example.org", "jwks": KEYS}, "egress": EGRESS},
    "monitored": {"monitoring": {"serviceMonitor": True, "dashboard": True, "alerts": True}},
    "own-keys": {"sessionKeys": {"existingSecret": "kept"}},
    "kata": {"runtimeClassName": "kata"},
    **TLS,
}
OVER = {"service": SERVICE, "gateway": GATEWAY}
BASE = {"service": "calculator", "gateway": "minimal", "firebreak": "web-fetch"}
"""The values in ci/ under those of OVER."""


def _of_ci(chart: str) -> list[str]:
    return [file.name.removesuffix("-values.yaml") for file in ci(chart)]


@functools.cache
def every(kube: str) -> list[tuple[str, list[Object]]]:
    """Each case's name and what it renders to."""
    cases = [(f"{chart}-{name}", render(chart, ci_values(chart, name), kube=kube))
             for chart in APPLICATIONS for name in _of_ci(chart)]  # fmt: skip
    for chart in sorted(OVER.keys() & set(APPLICATIONS)):
        base = ci_values(chart, BASE[chart])
        cases += [(f"{chart}-{name}", render(chart, base, over, kube=kube)) for name, over in OVER[chart].items()]
    return cases
