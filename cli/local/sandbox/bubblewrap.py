"""bubblewrap, which starts a process in namespaces of its own: where it is, and whether it can do so here."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "bwrap"
NOBODY = "65534"
NAMESPACES = (
    *("--unshare-user", "--uid", NOBODY, "--gid", NOBODY),
    *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    # Its own first process gets the signals, and with it everything ends. A terminal is out of its reach.
    *("--as-pid-1", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)
OWN_NETWORK = "--unshare-net"
NO_MORE_USERS = "--disable-userns"
"""No further user namespaces inside: the way to capabilities that most faults of the kernel need. Since bubblewrap 0.8."""
_SECONDS = 10.0
_SYSCTL = Path("/proc/sys")

Run = Callable[[Sequence[str]], str]
"""Runs a command; what it said when it failed, "" when it worked."""


@dataclass(frozen=True)
class Bubblewrap:
    """A program that works here, with the options that every call of it gets."""

    program: Path
    options: tuple[str, ...]


def candidates(state: Path, repository: Path, path: str | None = None) -> list[Path]:
    """Where it may be: on PATH (`path` instead), or where setup put it for this instance or for the repository."""
    on_path = shutil.which(NAME, path=path)
    tools = [folder / "tools" / "bin" / NAME for folder in (state, repository / ".firebreak")]
    return [*([Path(on_path)] if on_path else []), *(tool for tool in tools if tool.exists())]


def run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


def choose(programs: Iterable[Path], run: Run = run, sysctl: Path = _SYSCTL) -> tuple[Bubblewrap | None, str]:
    """The first that really makes every namespace here; else None, and why, and what to do about it."""
    said = ""
    for program in programs:
        for options in ((*NAMESPACES, NO_MORE_USERS), NAMESPACES):
            if not (failed := run(_attempt(program, options))):
                return Bubblewrap(program, options), ""
            said = said or failed
    return None, _why(said, sysctl) if said else (
        "bubblewrap is not installed: run `python3 scripts/setup.py run`, or install your system's package `bubblewrap`"
    )


def _attempt(program: Path, options: Sequence[str]) -> list[str]:
    """The least that needs all that a service's sandbox needs."""
    root = ("--ro-bind", "/", "/", "--proc", "/proc", "--tmpfs", "/tmp", "--remount-ro", "/")  # noqa: S108
    return [str(program), *options, OWN_NETWORK, *root, "--", shutil.which("true") or "/bin/true"]


def _why(said: str, sysctl: Path) -> str:
    """In words that tell what to do; bubblewrap's own stand behind them."""
    what = "bubblewrap cannot make a sandbox here"
    if _is(sysctl / "kernel/apparmor_restrict_unprivileged_userns", "1"):
        what = (
            "AppArmor keeps programs of ordinary users from making namespaces (Ubuntu does so since 23.10): give bwrap a "
            "profile with `userns,`, or `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    elif _is(sysctl / "user/max_user_namespaces", "0"):
        what = "user namespaces are switched off: `sudo sysctl user.max_user_namespaces=10000`"
    elif _is(sysctl / "kernel/unprivileged_userns_clone", "0"):
        what = "namespaces are for root only: `sudo sysctl kernel.unprivileged_userns_clone=1`"
    elif "mount proc" in said:
        what = "this is a container whose /proc is masked: start it with `--security-opt systempaths=unconfined`"
    elif "namespace" in said.lower() and Path("/.dockerenv").exists():
        what = "this is a container that may not make namespaces: start it with a seccomp profile that allows them"
    return f"{what} ({said.splitlines()[-1].removeprefix('bwrap: ')})"


def _is(file: Path, value: str) -> bool:
    try:
        return file.read_text().strip() == value
    except OSError:
        return False
