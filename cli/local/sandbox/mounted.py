"""Which hierarchies of control groups the launcher may make groups in, by what the kernel says of its mounts and of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.local.sandbox.cgroups import Bounds
from cli.local.sandbox.hierarchies import Hierarchy, Settings

CONTROLLERS = ("memory", "pids", "cpu")


@dataclass(frozen=True)
class Mounted:
    """`mounts` is the text of /proc/self/mountinfo, `own` that of /proc/self/cgroup."""

    mounts: str
    own: str

    def version1(self) -> list[Hierarchy] | None:
        """One for each controller, or None where one of them is not there in version 1."""
        found = [self._base(name) for name in CONTROLLERS]
        settings = ((_memory1, _memory1_wish), (_pids, _none, _of_workers), (_cpu1, _none))
        bases = [base for base in found if base is not None]
        if len(bases) < len(CONTROLLERS):
            return None
        return [Hierarchy(base, *pair) for base, pair in zip(bases, settings, strict=True)]

    def version2(self) -> list[Hierarchy] | None:
        """The one for all, or None where there is none."""
        base = self._base("")
        return None if base is None else [Hierarchy(base, _all2, _all2_wish, _of_workers)]

    def _base(self, controller: str) -> Path | None:
        """The launcher's own group in the hierarchy of `controller`, "" for version 2."""
        own = next((path for controllers, path in self._own() if controller in controllers), None)
        if own is None:
            return None
        for root, point, kind, options in self._mounts():
            if kind != ("cgroup" if controller else "cgroup2") or (controller and controller not in options):
                continue
            if own == root or own.startswith(root.rstrip("/") + "/"):
                return Path(point) / own[len(root.rstrip("/")) :].lstrip("/")
        return None

    def _own(self) -> Iterator[tuple[list[str], str]]:
        for line in self.own.splitlines():
            _, controllers, path = line.split(":", 2)
            yield controllers.split(","), path

    def _mounts(self) -> Iterator[tuple[str, str, str, list[str]]]:
        for line in self.mounts.splitlines():
            before, _, after = line.partition(" - ")
            (root, point), (kind, _, options) = before.split()[3:5], after.split()[:3]
            yield root, point, kind, options.split(",")


def _none(_: Bounds) -> Settings:
    return ()


def _memory1(bounds: Bounds) -> Settings:
    return (("memory.limit_in_bytes", str(bounds.memory)),)


def _memory1_wish(bounds: Bounds) -> Settings:
    return (("memory.swappiness", "0"), ("memory.memsw.limit_in_bytes", str(bounds.memory)))


def _pids(bounds: Bounds) -> Settings:
    return (("pids.max", str(bounds.processes)),)


def _of_workers(bounds: Bounds) -> Settings:
    return (("pids.max", str(bounds.of_workers)),)


def _cpu1(bounds: Bounds) -> Settings:
    quota, period = bounds.quota
    return (("cpu.cfs_period_us", str(period)), ("cpu.cfs_quota_us", str(quota)))


def _all2(bounds: Bounds) -> Settings:
    quota, period = bounds.quota
    return (("memory.max", str(bounds.memory)), *_pids(bounds), ("cpu.max", f"{quota} {period}"))


def _all2_wish(_: Bounds) -> Settings:
    return (("memory.swap.max", "0"),)
