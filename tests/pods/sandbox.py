"""bubblewrap, in which a container's processes see their own mounts and nothing else of this machine's files."""

from __future__ import annotations

import functools
from pathlib import Path

from cli.local.sandbox.bubblewrap import candidates, choose
from tests.pods.images import ROOT
from tests.pods.network_process import FILTER, INFO
from tests.programs import lacking

USER = "65532"
"""The user of the charts' pods; whoever runs the tests is it in there."""
_SHARED_MEMORY = str(64 * 1024**2)
"""Bytes of /dev/shm, as container runtimes have it."""


@functools.cache
def _found() -> tuple[Path | None, str]:
    chosen, why = choose(candidates(ROOT / ".firebreak", ROOT))
    return (chosen.program if chosen else None), why


def bubblewrap() -> str:
    """The program. Where it does not work the test is skipped, and says why."""
    program, why = _found()
    if program is None:
        lacking(why)
    return str(program)


def walls(hostname: str) -> list[str]:
    """What a container has of its own beside its files. The network is its pod's."""
    user = ("--unshare-user", "--uid", USER, "--gid", USER, "--cap-drop", "ALL", "--clearenv", "--seccomp", FILTER)
    apart = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", hostname)
    # Its first process gets the signals. Nothing outlives the tests.
    process = ("--as-pid-1", "--die-with-parent", "--new-session", "--info-fd", INFO)
    memory = ("--proc", "/proc", "--dev", "/dev", "--size", _SHARED_MEMORY, "--tmpfs", "/dev/shm")
    return [*user, *apart, *process, *memory, "--remount-ro", "/proc", "--remount-ro", "/dev"]
