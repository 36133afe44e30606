"""Makes one ready worker."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from firebreak_runtime.log import Log
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.worker_process import StartFailed, WorkerProcess
from firebreak_runtime.zygote_process import Forked, ForkFailed, Zygote

Changed = Callable[[WorkerProcess], None]


class Spawner:
    """Workers of one zygote; `mode` is "sync" or "async"."""

    def __init__(self, zygote: Zygote, service: ServiceFile, mode: str, log: Log) -> None:
        self._zygote = zygote
        self._service = service
        self._alone = mode == "sync"
        self._log = log

    async def __call__(self, changed: Changed) -> WorkerProcess:
        """A worker that is ready for calls. Raises StartFailed; whoever is cancelled here leaves no process behind."""
        began = asyncio.get_running_loop().time()
        try:
            worker = await self._fork(changed)
        except (ForkFailed, OSError) as error:
            raise StartFailed(f"no process could be made: {error}") from None
        try:
            await asyncio.wait({worker.started}, timeout=self._service.start_timeout)
        except asyncio.CancelledError:
            worker.kill("the service stops")
            raise
        if not worker.started.done():
            worker.kill("it was not ready in time")
            raise StartFailed(f"it was not ready within {self._service.start_timeout:g} s (runtime.start_timeout)")
        worker.started.result()
        took = round((asyncio.get_running_loop().time() - began) * 1000, 1)
        self._log.info("worker ready", pid=worker.pid, milliseconds=took)
        return worker

    async def _fork(self, changed: Changed) -> WorkerProcess:
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        try:
            forked = await self._zygote.fork(theirs.fileno(), writing)
        except BaseException:
            ours.close()
            os.close(reading)
            raise
        finally:
            theirs.close()
            os.close(writing)
        return await self._connect(forked, ours, reading, changed)

    async def _connect(self, forked: Forked, ours: socket.socket, reading: int, changed: Changed) -> WorkerProcess:
        worker = WorkerProcess(self._service.name, forked, self._alone, self._log, changed)
        worker.read_output(reading)
        ours.setblocking(False)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=ours)
        except BaseException:
            worker.kill("its socket could not be used")
            raise
        return worker
