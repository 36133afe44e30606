"""The machine that a cluster believes it has: namespaces of its own, in which everything ends when the first process does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from packed import ToolError

ADDRESS = "172.30.0.1"
"""Of the node, in its own network."""
NAME = "firebreak"
CGROUP = "firebreak-cluster"
_HIERARCHIES = Path("/sys/fs/cgroup")
_KERNEL = [Path("/proc/sys", name) for name in ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")]
"""What the kubelet sets for the whole machine, and what is put back."""

# The kubelet, containerd and etcd write below /var and /run: there they find folders of the cluster's own. The link gives
# the node an address that is not loopback; nothing is reached through it.
_INIT = """
set -eu
mount --make-rshared /
mount --bind "$1" /var
mount -t tmpfs -o mode=755 tmpfs /run
hostname "$2"
ip link set lo up
ip link add node0 type veth peer name node1
ip addr add "$3/24" dev node0
ip link set node0 up
ip link set node1 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
echo ready
exec sleep infinity
"""


class Node:
    """Namespaces for mounts, network, processes and host name. `state`: the folder of everything that is written."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._kernel = {file: file.read_text() for file in _KERNEL}
        self._programs: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: list[IO[bytes]] = []
        var = state / "var"
        for folder in (state / "logs", var / "lib" / "kubelet", var / "log", var / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self._make_cgroup()
        self._holder = self._unshare(var)
        self._pid = _only_child(self._holder.pid)

    def _unshare(self, var: Path) -> subprocess.Popen[bytes]:
        namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc", "--mount-proc", "--kill-child", "--fork")
        bound = ("setpriv", "--pdeathsig", "KILL")  # also where this process ends without a word
        command = [*bound, "unshare", *namespaces, "sh", "-c", _INIT, "init", str(var), NAME, ADDRESS]
        holder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != b"ready\n":
            raise ToolError(f"no namespaces for a node: {holder.stderr.read().decode().strip()}")
        return holder

    def _make_cgroup(self) -> None:
        for folder in _cgroup_roots():
            (folder / CGROUP).mkdir(exist_ok=True)

    @property
    def network(self) -> list[str]:
        """The words before a command that is to run in the node's network, and otherwise in this machine's files."""
        return ["nsenter", "--target", str(self._pid), "--net", "--"]

    @property
    def inside(self) -> list[str]:
        """The words before a command that is to run in all of the node's namespaces."""
        return ["nsenter", "--target", str(self._pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--"]

    def start(self, name: str, command: Sequence[str], path: str) -> None:
        """Starts a program that stays; its log is logs/NAME.log. `path` is its PATH."""
        log = (self._state / "logs" / f"{name}.log").open("wb")
        self._logs.append(log)
        env = {**os.environ, "PATH": path, "HOME": "/var/tmp", "NODE_NAME": NAME}  # noqa: S108  (the node's own)
        self._programs[name] = subprocess.Popen(
            [*self.inside, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env
        )

    def wait(self, what: str, seconds: float, ready: Callable[[], bool]) -> None:
        """Asks twice a second until it is ready; raises ToolError when time is up or a program has ended."""
        end = time.monotonic() + seconds
        while not ready():
            ended = [name for name, program in self._programs.items() if program.poll() is not None]
            if ended or time.monotonic() > end:
                why = f"{ended[0]} ended" if ended else f"not after {seconds:.0f} seconds"
                name = ended[0] if ended else "*"
                raise ToolError(f"{what}: {why}; see {self._state}/logs/{name}.log")
            time.sleep(0.5)

    def end(self) -> None:
        """Ends every process of the node at once, and takes back what was set for the whole machine."""
        self._holder.send_signal(signal.SIGTERM)  # --kill-child: the first process goes, and with it all others
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self._holder.wait()
        for program in self._programs.values():
            program.wait()
        for log in self._logs:
            log.close()
        for file, text in self._kernel.items():
            file.write_text(text)
        for folder in _cgroup_roots():
            _remove_cgroup(folder / CGROUP)


def _cgroup_roots() -> list[Path]:
    """The tops of all hierarchies: one for version 2, one for each controller for version 1."""
    if (_HIERARCHIES / "cgroup.controllers").exists():
        return [_HIERARCHIES]
    return [one for one in _HIERARCHIES.iterdir() if (one / "cgroup.procs").exists() and not one.is_symlink()]


def _remove_cgroup(folder: Path) -> None:
    """Removes a group and those below it; its processes have ended."""
    if folder.exists():
        for below, _, _ in os.walk(folder, topdown=False):
            Path(below).rmdir()


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
