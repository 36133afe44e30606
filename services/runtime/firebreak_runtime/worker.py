"""A worker: the process that runs foreign code and may be killed at any instant. It starts as a fork of the zygote and
talks to the host over one stream socket."""

from __future__ import annotations

import asyncio
import socket

from firebreak_runtime.answers import EXIT_MEMORY, HostGone, not_started_frame, ready_frame
from firebreak_runtime.async_worker import serve_async
from firebreak_runtime.served import Served, WorkerEnv
from firebreak_runtime.sync_worker import SyncWorker


def run(sock: socket.socket, served: Served, env: WorkerEnv) -> int:
    """Serves until the host goes away; returns the exit code."""
    try:
        if served.mode == "async":
            asyncio.run(_run_async(sock, served, env))
        else:
            _run_sync(sock, served, env)
    except MemoryError:
        return EXIT_MEMORY
    except HostGone:
        return 0
    return 1


async def _run_async(sock: socket.socket, served: Served, env: WorkerEnv) -> None:
    missing = await _start(sock, served, env)
    if missing is not None:
        await serve_async(sock, served, env.service, ready_frame(missing))


def _run_sync(sock: socket.socket, served: Served, env: WorkerEnv) -> None:
    missing = asyncio.run(_start(sock, served, env))
    if missing is not None:
        SyncWorker(sock, served, env.service).serve(ready_frame(missing))


async def _start(sock: socket.socket, served: Served, env: WorkerEnv) -> tuple[str, ...] | None:
    """Names of missing tools; None when the object could not start, which the host is told."""
    try:
        return await served.start(env)
    except MemoryError:
        raise
    except Exception as error:
        sock.sendall(not_started_frame(error))
        return None
