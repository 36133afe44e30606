"""What is outside of a service's walls: the things by name that it must not reach, all of them there for this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from cli.gameday.instance import ROOT, PrivateInstance

Around = dict[str, Any]
PRISONER = "prisoner"
SECRET = "FIREBREAK_GAMEDAY_SECRET"
INTERNET = ("1.1.1.1:443", "[2606:4700:4700::1111]:443")
METADATA = ("169.254.169.254:80", "[fd00:ec2::254]:80")
NAME_SERVERS = ("8.8.8.8:53", "127.0.0.53:53")
NAMES = ("example.org", "metadata.google.internal")
_MACHINE = (
    Path("/etc/shadow"),
    Path("/etc/ssh/sshd_config"),
    Path("/etc/hostname"),
    Path("/proc/sys/kernel/random/boot_id"),
)
_FOLDERS = ("/root", "/home", "/var", "/srv", "/mnt", "/media")
_MOST = 60


def network(instance: PrivateInstance) -> Around:
    """Addresses; all that begin with 127 or ::1 are of this machine."""
    return {
        "tcp": [*ports(instance), *INTERNET, *METADATA],
        "udp": [*NAME_SERVERS, f"127.0.0.1:{instance.ports['public']}"],
        "names": list(NAMES),
    }


def ports(instance: PrivateInstance) -> list[str]:
    """The gateway listens at each of these."""
    return [f"127.0.0.1:{instance.ports[name]}" for name in ("public", "mtls", "admin")]


def files(instance: PrivateInstance) -> Around:
    """Keys, tokens, logs and the journal of the instance; of the repository and of the user's home what everybody has."""
    own = {instance.state / "secrets" / PRISONER, instance.state / "identity/services-tokens" / PRISONER}
    state = (path for path in sorted(instance.state.rglob("*")) if not own & {path, *path.parents})
    home = (
        path for folder in (Path.home(), Path.home() / ".ssh") if folder.is_dir() for path in sorted(folder.iterdir())
    )
    others = (
        instance.config,
        ROOT / ".git/HEAD",
        ROOT / "services/calculator/service.yaml",
        ROOT / "gateway/__main__.py",
    )
    found = [*islice(_read(state), _MOST), *_read(others), *islice(_read(home), _MOST), *_read(_MACHINE[:3])]
    return {
        "files": [str(path) for path in found],
        "folders": [str(instance.folder), str(ROOT), str(Path.home()), *_FOLDERS],
        "pids": pids(instance),
        "secret": instance.extra[SECRET],
    }


def _read(paths: Iterator[Path] | tuple[Path, ...]) -> Iterator[Path]:
    """Those that this user can read himself, with something in them."""
    return (path for path in paths if path.is_file() and os.access(path, os.R_OK) and path.stat().st_size)


def pids(instance: PrivateInstance) -> list[int]:
    """The launcher, the gateway, a neighbour, and this process."""
    assert instance.process is not None
    return [instance.process.pid, instance.pid("gateway"), instance.pid("calculator"), os.getpid()]


def writable(instance: PrivateInstance) -> Around:
    """Folders and files that are somebody's; the service's own socket folder is one of them."""
    own = own_folder(instance)
    groups = [Path(line) for line in _lines(instance.state / "run/cgroups")]
    bounds = [path for group in groups for path in group.glob(f"{PRISONER}.*/*") if path.name in _BOUNDS]
    return {
        "folders": [str(instance.state), str(instance.folder), str(ROOT), own],
        "files": [str(instance.config), str(instance.policies / "data/grants.yaml"), *map(str, bounds)],
        "own": own,
    }


_BOUNDS = ("cgroup.procs", "memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def own_folder(instance: PrivateInstance) -> str:
    """Where the service's own socket is."""
    return str((instance.state / "run" / f"{PRISONER}.sock").resolve().parent)


def sockets(instance: PrivateInstance, abstract: str) -> Around:
    """Of each other service the socket and the link to it; sockets without a path, with one named `abstract` among them."""
    links = [path for path in (instance.state / "run").glob("*.sock") if path.stem != PRISONER]
    unix = [line.split()[-1] for line in _lines(Path("/proc/net/unix"))]
    names = [name.removeprefix("@") for name in unix if name.startswith("@")]
    return {
        "sockets": [str(form) for link in links for form in (link, link.resolve())],
        "abstract": [abstract, *sorted({*names} - {abstract})[:20]],
        "tcp": ports(instance),
        "own": own_folder(instance),
    }
