"""What is outside of a service's walls: the things by name that it must not reach.

Each is in two parts: what is of the instance, which is there in any case, and with `machine` what every machine has. Without
walls the latter is left out: then all of it would really be reached.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
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
FILES = (
    "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_ed25519_key", "/etc/hostname", "/proc/kcore",
    "/proc/keys", "/dev/kmsg", "/dev/mem", "/dev/sda", "/dev/vda",
)  # fmt: skip
BELOW = ("/root", "/home", "/var", "/srv", "/mnt", "/media")
_DOORSTEP = "/run/firebreak"
FOLDERS = (
    "/", "/usr", "/usr/bin", "/usr/lib", "/bin", "/lib", "/etc", "/etc/ssl", "/opt", "/var", "/var/lib", "/root", "/home",
    "/run", "/run/lock", "/dev", "/sys", "/sys/fs/cgroup", "/proc", _DOORSTEP,
    *(f"{_DOORSTEP}/{name}" for name in ("own", "door", "identity", "secrets", "locked")),
)  # fmt: skip
KNOBS = (
    "/etc/passwd", "/etc/ld.so.cache", "/etc/ld.so.preload", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/ns_last_pid", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger",
    "/proc/self/uid_map", "/proc/self/attr/current", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/release_agent",
    "/dev/kmsg", "/dev/mem", "/dev/sda", "/dev/vda", f"{_DOORSTEP}/identity/token",
)  # fmt: skip
SOCKETS = ("/run/dbus/system_bus_socket", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/systemd/private")
_BOUNDS = ("cgroup.procs", "memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us")
_MOST = 60


def network(instance: PrivateInstance, machine: bool = True) -> Around:
    """Addresses and names. On those of loopback the gateway listens."""
    udp = f"127.0.0.1:{instance.ports['public']}"
    if not machine:
        return {"tcp": ports(instance), "udp": [udp], "names": []}
    return {"tcp": [*ports(instance), *INTERNET, *METADATA], "udp": [udp, *NAME_SERVERS], "names": list(NAMES)}


def ports(instance: PrivateInstance) -> list[str]:
    return [f"127.0.0.1:{port}" for port in instance.ports.values()]


def files(instance: PrivateInstance, machine: bool = True) -> Around:
    """Keys, tokens, logs and the journal of the instance; of the repository and of the user's home what is there."""
    own = {instance.state / "secrets" / PRISONER, instance.state / "identity/services-tokens" / PRISONER}
    state = (path for path in sorted(instance.state.rglob("*")) if not own & {path, *path.parents})
    code = (ROOT / ".git/HEAD", ROOT / "services/calculator/service.yaml", ROOT / "gateway/__main__.py")
    found = [*islice(_read(state), _MOST), *_read((instance.config, *code))]
    folders = [instance.state, instance.folder]
    if machine:
        found += islice(_read(_in(Path.home(), Path.home() / ".ssh")), _MOST)
        folders += [ROOT, Path.home()]
    return {
        "files": [*map(str, found), *(FILES if machine else ())],
        "folders": [*map(str, folders), *(BELOW if machine else ())],
        "secret": instance.extra[SECRET],
        **processes(instance, machine),
    }


def _in(*folders: Path) -> Iterator[Path]:
    return (path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()))


def _read(paths: Iterable[Path]) -> Iterator[Path]:
    """Those that this user can read himself, with something in them."""
    return (path for path in paths if path.is_file() and os.access(path, os.R_OK) and path.stat().st_size)


def processes(instance: PrivateInstance, machine: bool = True) -> Around:
    """The launcher, the gateway, and a neighbour; on a machine everybody else."""
    assert instance.process is not None
    pids = [instance.process.pid, instance.pid("gateway"), instance.pid("calculator")]
    return {"pids": pids, "all": machine}


def writable(instance: PrivateInstance, machine: bool = True) -> Around:
    """Folders and files that are somebody's; the folder of the service's own socket is one of them."""
    own = own_folder(instance)
    groups = [Path(line) for line in _lines(instance.state / "run/cgroups")]
    bounds = [path for group in groups for path in group.glob(f"{PRISONER}.*/*") if path.name in _BOUNDS]
    files = (instance.config, instance.policies / "data/grants.yaml", *bounds)
    return {
        "folders": [str(instance.state), str(instance.folder), own, *((str(ROOT), *FOLDERS) if machine else ())],
        "files": [*map(str, files), *(KNOBS if machine else ())],
        "own": [own, f"{_DOORSTEP}/own"],
    }


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def own_folder(instance: PrivateInstance) -> str:
    """Where the service's own socket is."""
    return str((instance.state / "run" / f"{PRISONER}.sock").resolve().parent)


def sockets(instance: PrivateInstance, abstract: str, machine: bool = True) -> Around:
    """Of each other service the socket and the link to it; and one without a path, which is named `abstract`."""
    links = [path for path in (instance.state / "run").glob("*.sock") if path.stem != PRISONER]
    unix = [line.split()[-1] for line in _lines(Path("/proc/net/unix"))] if machine else []
    names = {name.removeprefix("@") for name in unix if name.startswith("@")} - {abstract}
    return {
        "sockets": [*(str(form) for link in links for form in (link, link.resolve())), *(SOCKETS if machine else ())],
        "abstract": [abstract, *sorted(names)[:20]],
        "tcp": ports(instance),
        "own": [own_folder(instance), f"{_DOORSTEP}/own"],
        **processes(instance, machine),
    }
