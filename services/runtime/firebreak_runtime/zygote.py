"""The zygote: imports the service's object once, then forks a warm worker whenever the host asks, and sees to it that
nothing its workers started outlives them. It never runs a thread, an event loop or gRPC."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from firebreak_runtime import control, process
from firebreak_runtime.cause import full_text, safe_cause
from firebreak_runtime.confine import memory_in_use
from firebreak_runtime.errors import LoadError
from firebreak_runtime.limits import limit
from firebreak_runtime.nursery import Nursery
from firebreak_runtime.served import GatewayTls, Served, WorkerEnv
from firebreak_runtime.service_file import ServiceFile, read_service_file

Load = Callable[[ServiceFile], Served]


def main(arguments: Sequence[str], load: Load) -> int:
    """Runs the zygote; `load` makes the object. Returns the exit code."""
    options = _options(arguments)
    try:
        process.die_with_parent(options.parent)
    except process.OrphanedError:
        return 0
    sock = socket.socket(fileno=options.control)
    sock.set_inheritable(False)
    _log_by_line()
    _leave_room(options.processes, options.group)
    try:
        service = read_service_file(options.service)
        served = _loaded(service, load)
        description = served.describe()
    except BaseException as error:  # whatever an import may raise, sys.exit too
        control.send(sock, {"failed": safe_cause(error), "log": full_text(error)})
        return 1
    _rehearse()
    _freeze()
    _tell(sock, served, description)
    tls = GatewayTls(options.gateway_ca, options.gateway_certificate, options.gateway_key)
    env = WorkerEnv(options.gateway, options.token_file, service, tuple(options.writable), tls if tls.files() else None)
    Nursery(sock, served, env).run()
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="firebreak_runtime.zygote")
    parser.add_argument("--service", type=Path, required=True)
    parser.add_argument("--gateway", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--writable", action="append", default=[], help="folder in which workers may change files")
    for name in ("ca", "certificate", "key"):
        parser.add_argument(f"--gateway-{name}", type=Path, help="PEM file of the way to the gateway")
    parser.add_argument(
        "--processes", type=int, default=0, help="bound of all processes from which on none is started here"
    )
    parser.add_argument("--group", type=int, help="open cgroup.procs of the control group to be in")
    parser.add_argument("--control", type=int, required=True, help="descriptor of the control socket")
    parser.add_argument("--parent", type=int, required=True, help="process id of the host")
    return parser.parse_args(arguments)


def _leave_room(processes: int, group: int | None) -> None:
    """Before a line of foreign code: however many processes that starts, the host can start some, and threads, as well."""
    if processes:
        limit(resource.RLIMIT_NPROC, processes)
    if group is None:
        return
    try:
        os.write(group, b"0")
    except OSError as error:
        # Before Linux 5.16 who sees no groups in a sandbox cannot move. The bound of the whole service holds all the same.
        print(f"workers are in one control group with their host: {error.strerror}", file=sys.stderr)
    finally:
        os.close(group)


def _log_by_line() -> None:
    """Output goes to a pipe that the host logs line by line; a killed worker must not take whole pages with it."""
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _loaded(service: ServiceFile, load: Load) -> Served:
    """The object, warmed up. Raises LoadError if threads are left: a fork would copy their locks but not them."""
    served = load(service)
    served.warm()
    names = _threads_left()
    if len(names) > 1:
        raise LoadError(
            f"{service.entrypoint} has started {len(names) - 1} thread(s) while it was loaded ({', '.join(names[1:])}). "
            "Start threads in the first call instead of at import: workers are forked from this process."
        )
    return served


def _threads_left(seconds: float = 2.0) -> list[str]:
    """Names of the threads that stay. One that was joined is in the kernel's list for a moment longer."""
    end = time.monotonic() + seconds
    while len(names := process.threads()) > 1 and time.monotonic() < end:
        time.sleep(0.005)
    return names


def _rehearse() -> None:
    """Does once what every worker does first, so that the imports and pages for it are shared: 6 ms less at each start."""

    async def nothing() -> None:
        pass

    asyncio.run(nothing())
    memory_in_use()


def _freeze() -> None:
    """Keeps what is loaded out of garbage collection, so that workers go on sharing its memory."""
    gc.collect()
    gc.disable()
    gc.freeze()


def _tell(sock: socket.socket, served: Served, description: bytes) -> None:
    """Sends mode and description; the latter in a file in memory, as it may be longer than a packet."""
    memory = os.memfd_create("description")
    with os.fdopen(memory, "wb") as file:
        file.write(description)
        file.flush()
        control.send(sock, {"loaded": served.mode, "bytes": len(description)}, (file.fileno(),))


def _load(service: ServiceFile) -> Served:
    """Imports the framework as late as this, so that an environment without it has a cause that can be shown."""
    from firebreak_runtime.objects import load

    return load(service)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _load))
