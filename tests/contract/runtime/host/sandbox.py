"""A sandbox as the launcher makes it, from bubblewrap, whose walls a test can take away one at a time."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import firebreak_runtime
from firebreak.v1 import host_pb2

ROOT = Path(__file__).resolve().parents[4]
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/localtime", "/etc/alternatives")
CODE = (Path(__file__).parent, Path(firebreak_runtime.__file__).parents[1], Path(host_pb2.__file__).parents[2])
"""What a host of these tests runs, wherever it is installed."""
PLACES = ("service", "door", "own", "identity", "secrets", "egress")
SCRATCH = 8 * 1024**2

WALLS: Mapping[str, Sequence[str]] = {
    "network": ("--unshare-net",),
    "processes": ("--unshare-pid", "--as-pid-1", "--proc", "/proc"),
    "others": ("--unshare-user", "--unshare-ipc", "--unshare-uts", "--die-with-parent"),
    "environment": ("--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp"),
    "privileges": ("--cap-drop", "ALL"),
    "scratch": ("--size", str(SCRATCH), "--tmpfs", "/tmp", "--size", str(SCRATCH), "--tmpfs", "/dev/shm"),
    "read-only": ("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"),
}
"""Arguments of bubblewrap by what they see to; places and system are bound beside them."""


def bubblewrap() -> str | None:
    """The program: what FIREBREAK_BWRAP names, on the PATH, or as it is installed with Firebreak."""
    installed = ROOT / ".firebreak/tools/bin/bwrap"
    return (
        os.environ.get("FIREBREAK_BWRAP") or shutil.which("bwrap") or (str(installed) if installed.exists() else None)
    )


def inside(folder: Path, walls: Mapping[str, Sequence[str]] = WALLS, more: Sequence[str] = ()) -> list[str]:
    """The command that runs what follows in a sandbox. `folder` has the PLACES."""
    program = bubblewrap()
    assert program is not None
    late = ("read-only",)  # once everything has its place
    command = [program, *walls["others"], *walls["network"], *walls["environment"], *walls["privileges"]]
    command += [*system(), "--dev", "/dev", *walls["processes"], *walls["scratch"]]
    command += ["--size", "4096", "--tmpfs", "/run/firebreak/locked"]
    shelters = shelters_of(*CODE, sys.prefix, sys.base_prefix)
    command += [part for path in shelters for part in ("--size", "4096", "--tmpfs", path)]
    command += [
        *read_only(*CODE, sys.prefix, sys.base_prefix),
        "--ro-bind",
        str(folder / "service"),
        str(folder / "service"),
    ]
    for place in PLACES[1:]:
        command += ["--bind" if place == "own" else "--ro-bind", str(folder / place), f"/run/firebreak/{place}"]
    command += [*more, *(part for path in shelters for part in ("--remount-ro", path))]
    return [*command, *(part for name in late for part in walls[name])]


def shelters_of(*paths: object) -> list[str]:
    """Folders that lead to these below the writable /tmp, where the repository may be: nobody shall write there."""
    parts = [Path(str(path)).parts for path in paths]
    return sorted({f"/tmp/{below[2]}" for below in parts if below[:2] == ("/", "tmp")})


def system() -> list[str]:
    arguments: list[str] = []
    for path in _SYSTEM:
        if Path(path).is_symlink():
            arguments += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).exists():
            arguments += ["--ro-bind", path, path]
    return arguments + read_only(*(path for path in _ETC if Path(path).exists()))


def read_only(*paths: object) -> list[str]:
    return [part for path in dict.fromkeys(map(str, paths)) for part in ("--ro-bind", path, path)]
