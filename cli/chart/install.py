"""The commands that install what values were made for, one a line, as they can be run in the repository."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.chart import names

_CHARTS = "make charts"

_ACCOUNTS = "serviceAccounts"

_CLUSTER = (
    'kubectl get --raw /.well-known/openid-configuration  # ISSUER below is its "issuer"',
    "kubectl get --raw /openid/v1/jwks > jwks.json",
)
"""Where the gateway's values do not say it yet: whose tokens count."""


def service(name: str, file: Path | None) -> tuple[str, ...]:
    return (_CHARTS, _helm(name, "service", file))


def gateway(values: Mapping[str, Any], file: Path | None) -> tuple[str, ...]:
    """`values` are those of the gateway that were made."""
    return _with_accounts(values, _helm(names.GATEWAY_RELEASE, "gateway", file), "")


def umbrella(values: Mapping[str, Any], file: Path | None) -> tuple[str, ...]:
    """`values` are all that were made, the gateway's below its name."""
    prefix = f"{names.GATEWAY_RELEASE}."
    return _with_accounts(values[names.GATEWAY_RELEASE], _helm("firebreak", "firebreak", file), prefix)


def _with_accounts(values: Mapping[str, Any], helm: str, prefix: str) -> tuple[str, ...]:
    accounts = values.get(_ACCOUNTS) or {}
    if accounts.get("issuer") and accounts.get("jwks"):
        return (_CHARTS, helm)
    flags = f"--set {prefix}{_ACCOUNTS}.issuer=ISSUER --set-file {prefix}{_ACCOUNTS}.jwks=jwks.json"
    return (_CHARTS, *_CLUSTER, f"{helm} {flags}")


def _helm(release: str, chart: str, file: Path | None) -> str:
    return f"helm upgrade --install {release} charts/{chart} -f {'-' if file is None else shlex.quote(str(file))}"
