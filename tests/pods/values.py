"""Values of the charts, as docs/operations.md has one make them, for a node of these tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.charts.helpers import ROOT, Object, merged, render
from tests.pods.images import OWN
from tests.pods.issuer import Issuer

Values = Mapping[str, Any]
USER = "developer"


def gateway(services: Issuer, users: Issuer, names: tuple[str, ...], *over: Values) -> list[Object]:
    """The gateway's objects, with the services of these names behind it."""
    shipped = _shipped()
    own = {name: _file(OWN / name / "service.yaml") for name in names if name not in shipped["services"]}
    every = {**shipped["services"], **own}
    chosen = {
        **shipped,
        "services": {name: every[name] for name in names},
        "installed": {},  # which of all the shipped services there are
        "policies": policies(),
    }
    around = {
        "serviceAccounts": {"issuer": services.name, "jwks": services.jwks},
        "users": {"issuer": users.name, "jwks": users.jwks},
        # Charts are rendered here without asking a cluster, so keys cannot be made once and kept.
        "sessionKeys": {"existingSecret": "session-keys"},
        "drain": {"preStop": 1, "seconds": 5},
    }
    return render("gateway", merged(chosen, around, *over), release="firebreak-gateway")


def service(name: str, *over: Values) -> list[Object]:
    """A service's objects: with the values that are shipped, or for one of these tests with the least."""
    shipped = ROOT / f"charts/values/{name}.yaml"
    values = _file(shipped) if shipped.exists() else _least(name)
    return render("service", values, {"preStop": 1}, *over, release=name)


def _least(name: str) -> Values:
    image = {"repository": f"registry.example.org/firebreak-{name}", "tag": "1.0.0"}
    return {"service": _file(OWN / name / "service.yaml"), "image": image}


def policies() -> dict[str, str]:
    """The shipped policy's files, with grants for the services of these tests."""
    return {**_shipped()["policies"], **_granted(_shipped()["policies"])}


def secret(name: str, **data: str) -> Object:
    """A Secret that whoever installs makes; its values are base64 already."""
    return {"kind": "Secret", "metadata": {"name": name}, "data": data}


def _granted(policies: Mapping[str, str]) -> dict[str, str]:
    """The shipped policy's data, with grants and roles for the services of these tests."""
    grants, roles = (yaml.safe_load(policies[f"data/{name}.yaml"]) for name in ("grants", "roles"))
    grants["grants"]["tally"] = {"all": {"roles": [USER, "agent"], "actions": ["describe", "call"]}}
    grants["grants"]["walker"] = {"developer": {"roles": [USER], "actions": ["describe", "call"]}}
    roles["roles"]["agent"]["principals"].append("service:walker")
    return {"data/grants.yaml": yaml.safe_dump(grants), "data/roles.yaml": yaml.safe_dump(roles)}


def _shipped() -> Values:
    values: Values = _file(ROOT / "charts/firebreak/values.yaml")["firebreak-gateway"]
    return values


@functools.cache
def _file(path: Path) -> Values:
    values: Values = yaml.load(path.read_text(), yaml.CSafeLoader)
    return values
