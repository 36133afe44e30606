"""`firebreak status`: what runs, and how it is."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import typer
from firebreak.client.connection import find_state, local_address
from rich.markup import escape
from rich.table import Table

from cli.local.sandbox.claims import reasons
from cli.output import Exit, fail, out, print_json, print_table

ADMIN = "127.0.0.1:7501"
STATES = {"ready": "green", "starting": "yellow", "not_ready": "red"}
BREAKERS = {"CLOSED": "green", "HALF_OPEN": "yellow", "OPEN": "red"}


def status(
    admin: Annotated[
        str | None, typer.Option(envvar="FIREBREAK_ADMIN", help="Admin address; default: the local gateway's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every service: version, framework, state, breaker, calls and latency; and how the journal is.

    Exit code 1 when a service is not ready, or calls go unrecorded. Example: firebreak status --json
    """
    report = fetch_or_fail(admin_or_local(admin), "status")
    _add_local_reasons(report)
    if as_json:
        print_json(report)
    else:
        _show(report)
    if any(service["state"] != "ready" for service in report["services"]) or _unrecorded(report["journal"]):
        raise SystemExit(int(Exit.FAILED))


def admin_or_local(admin: str | None) -> str:
    """The admin address that was given, else that of the local gateway."""
    try:
        return admin or local_address(find_state(), "admin", ADMIN)
    except FileNotFoundError:
        return ADMIN


def fetch_or_fail(admin: str, page: str) -> dict[str, Any]:
    """As `fetch`; ends the command with words where that fails."""
    try:
        return fetch(admin, page=page)
    except urllib.error.HTTPError as error:
        fail(error.read().decode("utf-8", "replace").strip() or str(error), Exit.FAILED)
    except OSError as error:
        fail(f"no gateway answers on {admin} ({_cause(error)}); start it with `make run`", Exit.UNREACHABLE)


def fetch(admin: str, timeout: float = 5.0, page: str = "status") -> dict[str, Any]:
    """The gateway's own report; raises OSError when none answers."""
    with urllib.request.urlopen(f"http://{admin}/{page}", timeout=timeout) as response:
        report: dict[str, Any] = json.load(response)
        return report


def _cause(error: OSError) -> str:
    return str(error.reason) if isinstance(error, urllib.error.URLError) else str(error)


def _add_local_reasons(report: dict[str, Any]) -> None:
    """The launcher knows why a process is not there; the gateway only sees that it is not."""
    try:
        run = find_state() / "run"
    except FileNotFoundError:
        return
    for service in report["services"]:
        local = read_local(run, service["name"])
        if service["state"] != "ready" and local.get("reason"):
            service["reason"] = local["reason"]
        service["restarts"] = local.get("restarts", 0)
        if "sandbox" in local:
            service["sandbox"] = local["sandbox"]
        if not service["next"] and local.get("next"):
            service["next"] = {"state": "not_ready", "reason": local["next"], "address": "", "socket": ""}


def read_local(run: Path, name: str) -> dict[str, Any]:
    """What the launcher wrote of one process: pid, restarts, reason, next, sandbox; empty where it wrote nothing."""
    try:
        local: dict[str, Any] = json.loads((run / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return local


def _show(report: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("service", "kind", "version", "framework", "state", "breaker"):
        table.add_column(column, no_wrap=True)
    for column in ("calls", "errors", "p50/p99 ms"):
        table.add_column(column, justify="right", no_wrap=True)
    for service in report["services"]:
        table.add_row(*_row(service))
    print_table(table)
    for service in report["services"]:
        if service["reason"] and service["state"] != "ready":
            out.print(f"\n[bold]{escape(service['name'])}[/bold] is {service['state']}: {escape(service['reason'])}")
        if coming := service["next"]:
            line = f"\na newer [bold]{escape(service['name'])}[/bold] is {coming['state']}, the one before goes on"
            out.print(line + (f": {escape(coming['reason'])}" if coming["reason"] else ""))
    _show_missing(report)
    _show_configuration(report["configuration"])
    _show_policy(report["gateway"]["policy"])
    out.print(journal_line(report["journal"]))
    if degraded := report.get("quotas", {}).get("degraded"):
        out.print(f"[yellow]quotas are not shared with other gateways now:[/yellow] {escape(degraded)}")
    if broken := _broken(report):
        out.print(f"[red]promises: {broken} broken[/red], see `firebreak doctor`")


def not_loaded(policy: dict[str, Any]) -> str:
    """Why the policy on disk is not in force, apart from an engine that cannot be asked; "" where it is."""
    reasons = policy["error"].split("\n") if policy["error"] else []
    return "\n".join(each for each in reasons if each not in policy.get("failing", "").split("\n"))


def _show_missing(report: dict[str, Any]) -> None:
    for why, names in _not_in_force(report["services"]).items():
        out.print(f"\n[yellow]not in force for {escape(', '.join(names))}:[/yellow] {escape(why)}")
    for name in report["gateway"].get("plaintext", ()):
        out.print(f"\n[yellow]not in force:[/yellow] {escape(in_the_clear(name))}")


def _not_in_force(services: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Names of services by what is missing around them and why: it is the same for most, and said once."""
    found: dict[str, list[str]] = {}
    for service in services:
        if missing := _missing(service):
            found.setdefault(reasons(missing), []).append(service["name"])
    return found


def _show_policy(policy: dict[str, Any]) -> None:
    out.print(f"policy [bold]{policy['revision'][:12]}[/bold] ({policy['engine']})")
    if failing := policy.get("failing"):
        out.print(f"[red]policy cannot be asked, every call is denied:[/red] {escape(failing)}")
    if error := not_loaded(policy):
        out.print(f"[red]the policy on disk is not in force:[/red] {escape(error)}")


def in_the_clear(listener: str) -> str:
    """What `plaintext: true` means, in words."""
    return f"calls on listener {listener} cross the network in the clear"


def _show_configuration(configuration: dict[str, Any]) -> None:
    out.print(f"\nconfiguration [bold]{configuration['revision'][:12]}[/bold]")
    if configuration["error"]:
        out.print(f"[red]the configuration on disk is not in force:[/red] {escape(configuration['error'])}")
    if waiting := configuration["needs_restart"]:
        out.print(f"[yellow]changed, but not in force before a restart:[/yellow] {escape(', '.join(waiting))}")


def _missing(service: dict[str, Any]) -> dict[str, str]:
    """Walls that the launcher could not build, with the reason, unless what they promise is proven to hold without them."""
    proof = service.get("proof") or {"promises": []}
    held = {promise["name"] for promise in proof["promises"] if promise["verdict"] == "held"}
    missing: dict[str, str] = service.get("sandbox", {}).get("missing", {})
    return {name: why for name, why in missing.items() if name not in held}


def _broken(report: dict[str, Any]) -> int:
    """Promises that are proven not to be kept: the gateway's own, and those of services."""
    proofs = [part.get("proof") or {} for part in (report["gateway"], *report["services"])]
    return sum(promise["verdict"] == "broken" for proof in proofs for promise in proof.get("promises", ()))


def _unrecorded(journal: dict[str, Any]) -> bool:
    return journal["mode"] != "none" and bool(journal["failing"] or journal["lost"])


def journal_line(journal: dict[str, Any]) -> str:
    """How the journal is, in one line of markup: red when calls go unrecorded, yellow when less is kept than should be."""
    if journal["mode"] == "none":
        return "journal [bold]none[/bold]: no call is on record"
    line = f"journal [bold]{journal['mode']}[/bold] ({journal['store']}): {journal['written']} written"
    if journal["queued"]:
        line += f", {journal['queued']} queued"
    if journal["lost"]:
        line += f", [red]{journal['lost']} lost[/red]"
    if journal["cut"]:
        line += f", [yellow]{journal['cut']} answers cut[/yellow]"
    if journal["failing"]:
        line += f"\n[red]the journal cannot be written:[/red] {escape(journal['failing'])}"
    elif journal["unnoted"]:
        line += f"\n[yellow]{escape(journal['unnoted'])}[/yellow]"
    return line


def _row(service: dict[str, Any]) -> list[str]:
    framework = f"{service['framework']} {service['framework_version']}".strip() or "-"
    return [
        escape(service["name"]),
        service["kind"],
        service["version"],
        framework,
        f"[{STATES[service['state']]}]{service['state']}[/]",
        f"[{BREAKERS[service['breaker']]}]{service['breaker']}[/]",
        str(service["calls"]),
        str(service["errors"]),
        f"{_milliseconds(service['p50_ms'])}/{_milliseconds(service['p99_ms'])}",
    ]


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
