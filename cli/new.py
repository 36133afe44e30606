"""`firebreak new`: a service of your own, ready to be called."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.output import Exit, err, fail, out, print_json
from cli.scaffold.names import NewKind

if TYPE_CHECKING:
    from cli.scaffold.files import Wanted
    from cli.scaffold.make import Made
    from cli.scaffold.project import Project


def new(
    kind: Annotated[NewKind, typer.Argument(help="What to make.")],
    name: Annotated[str, typer.Argument(help="Its name: small letters, digits and dashes.")],
    langchain: Annotated[
        str | None, typer.Option(help="Version of LangChain to pin; default: that of services/requirements.in.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(help="A role that may call it; can be repeated. Default: developer; a model: agent too."),
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option(help="A tool that an agent uses; can be repeated. Default: the first configured one."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model of an agent. Default: the first configured one.")] = None,
    no_lock: Annotated[
        bool, typer.Option("--no-lock", help="Make all but the environment: no package index is needed.")
    ] = False,
    config: Annotated[Path, typer.Option(help="The gateway's configuration.")] = Path("firebreak.yaml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a tool, an agent or a model: code, environment, grant and entry. A running Firebreak serves it at once.

    Values for its Helm chart are in charts/values/NAME.yaml then; see `firebreak chart`.

    Example: firebreak new tool shout
    """
    # Imported here: what serves one command stays off the others' start.
    from cli.scaffold.make import make
    from cli.scaffold.project import Project, Refused

    if kind is not NewKind.AGENT and (tool or model):
        fail("--tool and --model are for agents", Exit.USAGE)
    say = err.print if as_json else out.print
    try:
        project = Project.at(config)
        wanted = _wanted(project, kind, name, langchain, role or [], tool or [], model)
        made = make(project, wanted, installs=not no_lock, say=lambda line: say(escape(line)))
    except (Refused, OSError) as error:
        fail(str(error), Exit.FAILED)
    except KeyboardInterrupt:
        fail("interrupted; nothing was changed", Exit.FAILED)
    _report(project, wanted, made, as_json)


def _wanted(
    project: Project,
    kind: NewKind,
    name: str,
    langchain: str | None,
    roles: list[str],
    tools: list[str],
    model: str | None,
) -> Wanted:
    from cli.scaffold.files import Wanted
    from cli.scaffold.project import AGENTS
    from gateway.routes import Kind

    usual = ["developer", AGENTS] if kind is NewKind.MODEL else ["developer"]
    granted = tuple(dict.fromkeys(roles or usual))
    if kind is not NewKind.AGENT:
        return Wanted(kind, name, granted, langchain)
    used = tuple(dict.fromkeys(tools or project.services(Kind.TOOL)[:1]))
    chosen = model or next(iter(project.services(Kind.MODEL)), "")
    return Wanted(kind, name, granted, langchain, used, chosen)


def _report(project: Project, wanted: Wanted, made: Made, as_json: bool) -> None:
    """Says what is there, waits for a running Firebreak to serve it, and says what to do next."""
    from cli.scaffold.running import is_running, settled

    began = time.monotonic()
    admin = project.loaded.config.admin
    state, reason = "not running", ""
    if is_running(admin):
        state, reason = (
            settled(admin, wanted.name) if made.locked else ("not locked", "its requirements are to be locked")
        )
    following = _next(wanted, made, state)
    if as_json:
        print_json(_as_dict(wanted, made, state, reason, following))
        return
    if state == "ready":
        out.print(f"the running Firebreak: serves it after {time.monotonic() - began:.1f} s")
    elif state != "not running":
        out.print(f"[yellow]the running Firebreak does not serve it yet:[/yellow] {state}. {escape(reason)}")
    for note in made.notes:
        out.print(f"[yellow]note:[/yellow] {escape(note)}")
    out.print("\nNext:")
    for line in following:
        out.print(f"  {escape(line)}")


def _next(wanted: Wanted, made: Made, state: str) -> list[str]:
    """Commands, in their order."""
    steps = [] if made.locked else [f"scripts/lock {wanted.folder}"]
    if state == "not running":
        steps.append("make run")
    elif state not in ("ready", "not locked"):
        steps.append(".venv/bin/firebreak status")
    return [*steps, wanted.call]


def _as_dict(wanted: Wanted, made: Made, state: str, reason: str, following: list[str]) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "kind": wanted.kind.value,
        "folder": wanted.folder,
        "files": list(made.files),
        "changed": list(made.changed),
        "values": made.values,
        "installed": made.installed,
        "state": state,
        "reason": reason,
        "notes": list(made.notes),
        "next": following,
    }
