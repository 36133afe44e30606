"""The steps of making a service. Each that was done is undone when a later one fails, so that nothing is left half-made."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.chart.files import write
from cli.chart.image import Image
from cli.chart.service import sections
from cli.chart.sources import described
from cli.chart.text import ChartError, as_text
from cli.scaffold import install, probes
from cli.scaffold.edit import EditError, add, replace
from cli.scaffold.files import Wanted, written
from cli.scaffold.names import NewKind
from cli.scaffold.project import AGENTS, Project, Refused, check
from cli.scaffold.running import in_force
from gateway.adapters.config_files import ConfigError, load
from gateway.adapters.policy.bundle import read_bundle
from gateway.adapters.policy.embedded import EmbeddedEngine
from gateway.policy import PolicyError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """What was made: files of the folder, files that were added to, and what is still to be known or done.

    `values` is the file with which a Helm chart installs it.
    """

    files: tuple[str, ...]
    changed: tuple[str, ...]
    installed: bool
    values: str
    notes: tuple[str, ...]

    @property
    def locked(self) -> bool:
        """Whether what runs, or `make run`, can make the environment by itself."""
        return "requirements.lock" in self.files


def make(project: Project, wanted: Wanted, *, installs: bool, say: Say) -> Made:
    """Makes the service with its grant and its entry, and with `installs` its environment; `say` gets a line for each step.

    Raises Refused when it cannot be made: everything is as it was then, as it is after an interruption.
    """
    with _one_at_a_time(project.root), contextlib.ExitStack() as undo:
        check(project, wanted)
        files = _write(project, wanted, undo)
        say(f"{wanted.folder}: written")
        if installs or wanted.langchain is None:  # the default lock is here, another one needs a package index
            install.lock(project, wanted)
            files.append("requirements.lock")
        changed, revision = _grant(project, wanted, undo, say)
        if installs:
            _install(project, wanted, undo, say)
        # An agent looks for its tools when it starts: one that runs here must know what it may do by then.
        in_force(project.loaded.config.admin, revision)
        values = _chart(project, wanted, undo)
        _configure(project, wanted, undo)
        changed.append(project.shown(project.config))
        say(f"{changed[-1]}: the service is in")
        say(f"{values}: written, for Kubernetes; `firebreak chart {wanted.name}` makes it anew")
        undo.pop_all()
    return Made(tuple(sorted(files)), tuple(changed), installs, values, tuple(_notes(project, wanted)))


def _write(project: Project, wanted: Wanted, undo: contextlib.ExitStack) -> list[str]:
    folder = project.root / wanted.folder
    files = written(wanted, install.default(project, "in").read_text())
    folder.mkdir()
    undo.callback(shutil.rmtree, folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return list(files)


def _install(project: Project, wanted: Wanted, undo: contextlib.ExitStack, say: Say) -> None:
    began = time.monotonic()
    undo.callback(install.remove, project, wanted)
    install.install(project, wanted)
    say(f"its environment: installed in {time.monotonic() - began:.1f} s")


def _grant(project: Project, wanted: Wanted, undo: contextlib.ExitStack, say: Say) -> tuple[list[str], str]:
    """Adds the grants, and an agent to its role; raises Refused where the policy would not come into force with them.

    Returns the files that it changed, and the revision that the policy has now.
    """
    changed = [project.shown(project.grants)]
    grants = {role: {"roles": [role], "actions": ["describe", "call"]} for role in wanted.roles}
    grants |= probes.grant(wanted.kind)
    _edit(project, project.grants, ["grants"], grants, wanted.name, undo)
    say(f"{changed[0]}: granted to {' and '.join(wanted.roles)}")
    if probes.ROLE not in project.read(project.roles, "roles"):
        changed.append(project.shown(project.roles))
        _edit(project, project.roles, ["roles"], probes.HOLDERS, probes.ROLE, undo)
    if wanted.kind is NewKind.AGENT:
        changed.append(project.shown(project.roles))
        _enrol(project, wanted, undo)
        say(f"{changed[-1]}: service:{wanted.name} holds the role {AGENTS}")
    policy = project.loaded.config.policy
    try:
        bundle = read_bundle(project.root / policy.path)
        if policy.engine == "embedded":
            asyncio.run(EmbeddedEngine().load(bundle))
    except PolicyError as error:
        raise Refused(
            f"the policy would not come into force with the new grant:\n{error}\nNothing was changed."
        ) from None
    return list(dict.fromkeys(changed)), bundle.revision


def _enrol(project: Project, wanted: Wanted, undo: contextlib.ExitStack) -> None:
    roles, principal = project.read(project.roles, "roles"), f"service:{wanted.name}"
    if AGENTS not in roles:
        _edit(project, project.roles, ["roles"], {"principals": [principal]}, AGENTS, undo)
    elif "principals" not in roles[AGENTS]:
        _edit(project, project.roles, ["roles", AGENTS], [principal], "principals", undo)
    elif principal not in roles[AGENTS]["principals"]:
        _edit(project, project.roles, ["roles", AGENTS, "principals"], principal, None, undo)


def _chart(project: Project, wanted: Wanted, undo: contextlib.ExitStack) -> str:
    """Writes the values file for Kubernetes; returns its name."""
    file = project.values(wanted.name)
    missing = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    try:
        text = as_text(sections(described(project.root / wanted.folder), Image(), {}))
    except ChartError as error:
        raise Refused(f"{error}\nNothing was changed.") from None
    for folder in reversed(missing):
        undo.callback(_remove, folder)
    undo.callback(file.unlink, missing_ok=True)
    write(file, text)
    return project.shown(file)


def _remove(folder: Path) -> None:
    """Takes a folder away that was made here, unless somebody has put something into it since."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _configure(project: Project, wanted: Wanted, undo: contextlib.ExitStack) -> None:
    """Adds the entry, the last step: whatever runs here may begin to serve it now."""
    _edit(project, project.config, ["services"], {"path": wanted.folder}, None, undo)
    try:
        load(project.config)
    except ConfigError as error:
        raise Refused(f"the configuration would be wrong with it:\n{error}\nNothing was changed.") from None


def _edit(
    project: Project, file: Path, path: Sequence[str], value: Any, key: str | None, undo: contextlib.ExitStack
) -> None:
    before = file.read_bytes().decode()
    try:
        after = add(before, path, value, key)
    except EditError as error:
        raise Refused(f"{project.shown(file)}: {error}. Nothing was changed.") from None
    undo.callback(_restore, file, before, after)
    replace(file, after)


def _restore(file: Path, before: str, after: str) -> None:
    """Takes the edit back, unless somebody has edited the file since."""
    if file.read_bytes().decode() == after:
        replace(file, before)


def _notes(project: Project, wanted: Wanted) -> Iterator[str]:
    used = (*wanted.tools, wanted.model) if wanted.kind is NewKind.AGENT else ()
    for name in used:
        if not project.may_call(name):
            yield (
                f"{project.shown(project.grants)} grants {name} to no {AGENTS}: until it does, the calls that "
                f"{wanted.name} makes to it are denied"
            )


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Two that add to the same files take turns."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
