"""`firebreak reload`: the running gateway reads its configuration now, and what came of it is told."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from firebreak.client.connection import find_state
from rich.markup import escape

from cli.output import Exit, fail, out, print_json
from cli.status import admin_or_local, fetch_or_fail, read_local

PAUSE = 0.1


def reload(
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait until it is in force.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make the running gateway read its configuration now, wait until it is in force, and say what changed.

    The gateway does so by itself when a file changes; this is for scripts, and for who wants to know at once what is wrong.
    Exit code 1 when the configuration is wrong, or a service does not become ready. Example: firebreak reload --json
    """
    pid = gateway_pid(_run_folder())
    admin = admin_or_local(None)
    before = fetch_or_fail(admin, "status")
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        fail("the gateway has just ended; `firebreak status` says more", Exit.UNREACHABLE)
    after = _in_force(admin, before["configuration"]["reloads"], time.monotonic() + timeout)
    found = differences(before, after)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found["error"] or found["not_ready"]:
        raise SystemExit(int(Exit.FAILED))


def _run_folder() -> Path:
    try:
        return find_state() / "run"
    except FileNotFoundError as error:
        fail(str(error), Exit.UNREACHABLE)


def gateway_pid(run: Path) -> int:
    """Process id of the gateway that `firebreak up` runs; ends the command where there is none."""
    pid = read_local(run, "gateway").get("pid") if _launcher_runs(run) else None
    if not isinstance(pid, int):
        fail("Firebreak does not run here; start it with `make run`", Exit.UNREACHABLE)
    return pid


def _launcher_runs(run: Path) -> bool:
    """A launcher holds its lock as long as it lives: what it wrote of processes is of this day, and no stranger's number."""
    try:
        with (run / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _in_force(admin: str, reloads: int, end: float) -> dict[str, Any]:
    """The report once the gateway has read the files again and nothing that came of it is still starting."""
    while True:
        report = fetch_or_fail(admin, "status")
        read = report["configuration"]["reloads"] > reloads
        if read and (report["configuration"]["error"] or not any(map(_starting, report["services"]))):
            return report
        if time.monotonic() >= end:
            waited = (
                "a service is still starting; `firebreak status` says which" if read else "the gateway did not read it"
            )
            fail(f"not in force within the time allowed: {waited}", Exit.FAILED)
        time.sleep(PAUSE)


def _starting(service: dict[str, Any]) -> bool:
    coming = service["next"]
    return bool(service["state"] == "starting" or (coming and coming["state"] == "starting"))


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What came of it, as a JSON object."""
    old, new = ({row["name"]: row for row in report["services"]} for report in (before, after))
    said = after["configuration"]
    waiting = {name: row["next"] or row for name, row in new.items() if row["next"] or row["state"] != "ready"}
    return {
        "error": said["error"],
        "revision": said["revision"],
        "loaded": said["loaded"],
        "settings_changed": said["revision"] != before["configuration"]["revision"],
        "needs_restart": said["needs_restart"],
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "replaced": sorted(name for name in new.keys() & old.keys() if _instance(new[name]) != _instance(old[name])),
        "not_ready": {name: row["reason"] for name, row in sorted(waiting.items())},
    }


def _instance(service: dict[str, Any]) -> tuple[str, ...]:
    return service["version"], service["address"], service["socket"]


def _show(found: dict[str, Any]) -> None:
    if found["error"]:
        out.print(
            f"[red]the configuration is wrong, and the one before stays in force:[/red]\n{escape(found['error'])}"
        )
    elif not found["settings_changed"] and not any(found[key] for key in ("added", "removed", "replaced")):
        out.print(f"nothing to change: in force since {found['loaded']}")
    else:
        out.print(f"in force: configuration [bold]{found['revision'][:12]}[/bold]")
    for key in ("added", "removed", "replaced"):
        if found[key]:
            out.print(f"  {key}: {escape(', '.join(found[key]))}")
    if found["needs_restart"]:
        out.print(f"[yellow]takes a restart of Firebreak:[/yellow] {escape(', '.join(found['needs_restart']))}")
    for name, reason in found["not_ready"].items():
        out.print(f"[bold]{escape(name)}[/bold] is not ready: {escape(reason)}")
