"""The walls that a host builds around itself before it starts anything, so that zygote and workers stand behind them too. They
hold beside the sandbox that the host was started in, and where there is none."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from firebreak_runtime import landlock, privileges, seccomp
from firebreak_runtime.limits import limit

DESCRIPTORS = 4096
"""Open files of the host: a few for each call and each worker."""
_EVERYONE = "0 0 4294967295"
"""The map of the user namespace that the machine starts with."""


@dataclass(frozen=True)
class Plan:
    """What the host needs. All else is forbidden to it and to whatever it starts."""

    readable: tuple[str, ...]
    writable: tuple[str, ...]
    sockets: tuple[str, ...]
    """Folders in which sockets may be made."""
    processes: int
    """Bound of processes and threads, the host's own among them."""
    ports: tuple[int, ...]
    """The TCP ports that may be connected to."""
    listens: tuple[int, ...]
    """The TCP ports that may be listened at. Without any of either there are no internet sockets at all."""
    required: bool

    @property
    def internet(self) -> bool:
        return bool(self.ports or self.listens)


@dataclass(frozen=True)
class Enclosed:
    """`promises` are claimed from now on; `missing` names promises that are not, each with the reason for people. `counted`:
    processes are bounded from within, whoever promises that."""

    promises: tuple[str, ...]
    missing: Mapping[str, str]
    counted: bool = False


class CannotEnclose(Exception):
    """A wall that is required cannot be had; the text says which ones and why."""


class _NoWall(Exception):
    """This wall cannot be had; the text says why."""


_Build = Callable[[Plan], None]


def enclose(plan: Plan) -> Enclosed:
    """Encloses this process for good; it must have no second thread yet. Raises CannotEnclose where the plan requires all walls
    and one is missing: the process should end then, as some of the others stand.

    The bound of processes is named under `tasks` where it cannot be had from within. That is no reason to raise: `tasks` is
    the promise of whoever started the host.
    """
    walls = _walls(plan)
    reasons = ((promises, _why_not(build, plan)) for promises, build in walls)
    missing = {promise: why for promises, why in reasons if why for promise in promises}
    lacking = [f"{promise}: {why}" for promise, why in missing.items() if promise != "tasks"]
    if plan.required and lacking:
        raise CannotEnclose("; ".join(lacking))
    held = [promise for promises, _ in walls for promise in promises if promise not in missing]
    return Enclosed(tuple(promise for promise in held if promise != "tasks"), missing, "tasks" in held)


def _why_not(build: _Build, plan: Plan) -> str:
    """Builds a wall; says why it cannot be had, or "" where it stands."""
    try:
        build(plan)
    except (OSError, _NoWall) as error:
        return str(error)
    return ""


def _walls(plan: Plan) -> tuple[tuple[tuple[str, ...], _Build], ...]:
    """In the order in which they are built, each with its promises: Landlock needs no-new-privileges, the filter comes last."""
    return (
        (("limits",), _limits),
        (("tasks",), _bound_processes),
        (("privileges",), _privileges),
        (("landlock",), _landlock),
        (("syscalls",) if plan.internet else ("syscalls", "network"), _syscalls),
    )


def _limits(_: Plan) -> None:
    limit(resource.RLIMIT_NOFILE, DESCRIPTORS)
    limit(resource.RLIMIT_CORE, 0)


def _bound_processes(plan: Plan) -> None:
    """RLIMIT_NPROC counts all processes of a user in a user namespace, so it fits only where the namespace is the service's
    own; and it does not bind whom the machine knows as root. Whether it does is tried: a fork that must fail."""
    if os.getpid() != 1 or Path("/proc/self/uid_map").read_text().split() == _EVERYONE.split():
        raise _NoWall("a bound from within needs a user namespace and a process namespace of the service's own")
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
    if _can_fork():
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
        raise _NoWall("the kernel does not bound the processes of root, who started this service")
    limit(resource.RLIMIT_NPROC, plan.processes)


def _can_fork() -> bool:
    with suppress(BlockingIOError):
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return True
    return False


def _privileges(_: Plan) -> None:
    _alone()
    privileges.gain_none()
    privileges.drop_capabilities()


def _alone() -> None:
    """A thread that runs already would stay outside."""
    if (count := len(list(Path("/proc/self/task").iterdir()))) > 1:
        raise _NoWall(f"{count - 1} thread(s) were started before")


def _landlock(plan: Plan) -> None:
    _alone()
    abi = landlock.abi()
    if abi == 0:
        raise _NoWall("this kernel has no Landlock, or it is switched off (Linux has it since 5.13)")
    files = landlock.Files(plan.readable, plan.writable, plan.sockets)
    landlock.restrict(abi, files, landlock.Ports(plan.ports, plan.listens))


def _syscalls(plan: Plan) -> None:
    machine = seccomp.machine()
    try:
        seccomp.install(seccomp.program(machine, internet=plan.internet))
    except seccomp.UnknownMachine:
        raise _NoWall(f"there is no filter of system calls for {machine}") from None
    except OSError as error:
        raise _NoWall(f"this kernel takes no filter of system calls ({error.strerror})") from None
