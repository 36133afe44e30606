"""Locks and installs a new service with the repository's own scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from cli.scaffold.files import Wanted
from cli.scaffold.project import Project, Refused

LAST_LINES = 12


def lock(project: Project, wanted: Wanted) -> None:
    """Writes requirements.lock: a copy of the default one, or a new one for another LangChain. Raises Refused."""
    if wanted.langchain is None:
        shutil.copyfile(default(project, "lock"), project.root / wanted.folder / "requirements.lock")
    else:
        _execute(project, f"LangChain {wanted.langchain} cannot be locked", "scripts/lock", wanted.folder)


def default(project: Project, suffix: str) -> Path:
    """The default environment's requirements.in or requirements.lock; raises Refused where it is missing."""
    file = project.root / "services" / f"requirements.{suffix}"
    if not file.is_file():
        raise Refused(f"{project.shown(file)} is missing: new services begin with it")
    return file


def install(project: Project, wanted: Wanted) -> None:
    """Makes the service's environment; raises Refused with the end of what the set-up said."""
    _execute(project, "the environment cannot be made", sys.executable, "scripts/setup.py", "service", wanted.name)


def remove(project: Project, wanted: Wanted) -> None:
    """Takes away what `install` made or left."""
    envs = project.root / ".firebreak" / "envs"
    for made in (envs / wanted.name, *envs.glob(f".{wanted.name}.*")):
        if made.is_symlink():
            made.unlink()
        else:
            shutil.rmtree(made, ignore_errors=True)
    (envs / f"{wanted.name}.error").unlink(missing_ok=True)


def _execute(project: Project, problem: str, *command: str) -> None:
    # The scripts run on the Python that the command runs on, whatever `python3` is elsewhere.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(command, cwd=project.root, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    if done.returncode == 0:
        return
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:])
    raise Refused(
        f"{problem}:\n{said}\n"
        "Nothing was changed. Where no package index is at hand, `--no-lock` makes all but the environment."
    )
