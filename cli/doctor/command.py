"""The command `firebreak doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from firebreak.client.connection import find_state

from cli.doctor.findings import Diagnosis, of_gateway, of_service
from cli.doctor.pages import show
from cli.output import Exit, fail, print_json
from cli.status import admin_or_local, fetch_or_fail, read_local


def doctor(
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Only these services.")] = None,
    admin: Annotated[
        str | None, typer.Option(envvar="FIREBREAK_ADMIN", help="Admin address; default: the local gateway's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which promises hold, as proven by tests and not as configured: sandboxes, policy, credentials.

    What is broken or not in force comes with why, and with what to do. Services that are named are shown promise by promise.

    Exit code 1 when a promise is broken, something configured is not in force or a service is not ready, 3 when no gateway
    answers. A wall that cannot be had here counts only with `sandbox: required`.

    Examples: firebreak doctor; firebreak doctor calculator; firebreak doctor --json
    """
    report = fetch_or_fail(admin_or_local(admin), "status")
    chosen = _chosen(report["services"], services or [])
    gateway, found = of_gateway(report), [of_service(row, _local(row["name"])) for row in chosen]
    required = report["gateway"].get("sandbox") == "required"
    if as_json:
        print_json(_as_dict(gateway, found, required))
    else:
        show(gateway, found, required, every=bool(services))
    if any(each.ill(required) for each in (gateway, *found)):
        raise SystemExit(int(Exit.FAILED))


def _chosen(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    known = {row["name"]: row for row in rows}
    for name in names:
        if name not in known:
            fail(f"there is no service {name} here; there are: {', '.join(known) or 'none'}", Exit.USAGE)
    return [known[name] for name in dict.fromkeys(names)] if names else rows


def _local(name: str) -> dict[str, Any]:
    try:
        run: Path = find_state() / "run"
    except FileNotFoundError:
        return {}
    return read_local(run, name)


def _as_dict(gateway: Diagnosis, services: list[Diagnosis], required: bool) -> dict[str, Any]:
    return {
        "well": not any(each.ill(required) for each in (gateway, *services)),
        "gateway": gateway.as_dict(),
        "services": [each.as_dict() for each in services],
    }
