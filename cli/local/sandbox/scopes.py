"""Bounds by systemd, for users whose control groups are systemd's to make: each process in a scope of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from cli.local.sandbox.bubblewrap import Run, run
from cli.local.sandbox.cgroups import WEIGHT, Bounds, Entry, Group
from cli.local.sandbox.claims import CPU, MEMORY, TASKS

_FILES = {MEMORY: "memory.max", TASKS: "pids.max", CPU: "cpu.max"}
_ABSENT = "absent: "
_LOOK = (
    "at=/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup); "
    f"for file in {' '.join(_FILES.values())}; do [ -e $at/$file ] || echo {_ABSENT}$file >&2; done; "
    "[ -e $at/memory.max ] && [ -e $at/pids.max ] && [ -e $at/cpu.max ]"
)
_NEEDED = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


class Scopes:
    """Starts processes by `systemd-run --scope`, for root with the system's systemd, else with the user's own."""

    def __init__(
        self, instance: str, environment: Mapping[str, str] = os.environ, root: bool = os.getuid() == 0
    ) -> None:
        self.missing: Mapping[str, str] = {}
        self._instance = instance
        self._environment = {name: environment[name] for name in _NEEDED if name in environment}
        self._user = () if root else ("--user",)

    def try_out(self, run: Run = run) -> str:
        """Why there can be none, or "". Controllers that systemd does not hand down to this user are missing from then on."""
        if shutil.which("systemd-run") is None:
            return "systemd-run is not there"
        entry = self.group("trial", Bounds(64 * 1024**2, 1.0, 16)).enter()
        said = run([*entry.prefix, "/bin/sh", "-c", _LOOK])
        absent = {promise: file for promise, file in _FILES.items() if f"{_ABSENT}{file}" in said.splitlines()}
        self.missing = {
            promise: f"systemd bounds no {promise} for this user: add it to `Delegate=` of user@.service"
            for promise in absent
        }
        return "" if absent else said

    def group(self, name: str, bounds: Bounds) -> Group:
        return Scope(self._command(name, bounds), self._environment)

    def clear(self) -> None:
        """A scope goes with its last process."""

    def _command(self, name: str, bounds: Bounds) -> tuple[str, ...]:
        quota, period = bounds.quota
        properties = (
            f"MemoryMax={bounds.memory}", "MemorySwapMax=0", f"TasksMax={bounds.processes}",
            f"CPUQuota={100 * quota / period:g}%", f"CPUQuotaPeriodSec={period}us", f"CPUWeight={WEIGHT}",
            "Delegate=yes",
        )  # fmt: skip
        return (
            *(shutil.which("systemd-run") or "systemd-run", *self._user, "--scope", "--quiet", "--collect"),
            f"--unit=firebreak-{self._instance}-{name}",
            *(word for one in properties for word in ("-p", one)),
            "--",
        )


class Scope:
    """One process's scope."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._entry = Entry(prefix=tuple(command), environment=environment)

    def enter(self) -> Entry:
        return self._entry

    async def leave(self) -> None:
        """It goes with its last process."""
