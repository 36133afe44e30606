"""`python -I -m firebreak_runtime.self_test`: one request on standard input, one answer on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from firebreak_runtime.confine import confine
from firebreak_runtime.self_test import files, kernel, neighbours, network, sockets, writing
from firebreak_runtime.self_test.asked import Asked, read

PROMISES: dict[str, Callable[[Asked], str]] = {
    "network": network.reached,
    "sockets": sockets.reached,
    "files": files.read,
    "read-only": writing.changed,
    "scratch": writing.unbounded,
    "environment": neighbours.variables,
    "processes": neighbours.processes,
    "privileges": kernel.privileges,
    "landlock": kernel.landlock,
    "limits": kernel.limits,
    "syscalls": kernel.syscalls,  # last: what it gets through may change what this process can do
}


def main() -> None:
    asked = read(sys.stdin.read())
    confine(asked.memory, asked.writable)
    reached: dict[str, str] = {}
    untried: dict[str, str] = {}
    for name, promise in PROMISES.items():
        try:
            reached[name] = promise(asked)
        except Exception as error:  # out of descriptors or memory, as a wall may well want it: that proves nothing
            untried[name] = type(error).__name__
    print(json.dumps({"reached": reached, "untried": untried}))


if __name__ == "__main__":
    main()
