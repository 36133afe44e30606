"""The host's hold on its zygote: starts it, asks it for workers, hears from it, and ends it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from firebreak_runtime import control, process
from firebreak_runtime.log import Log
from firebreak_runtime.output import Output

FORK_TIMEOUT = 10.0
"""Seconds for the answer to a fork request; a zygote that takes longer is stuck."""
MAX_DESCRIPTION = 4 * 1024**2
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "GRPC_DNS_RESOLVER")
"""Of the last two: which authorities this system trusts, and whether gRPC asks for names as the C library does."""
_SINGLE = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Libraries of numbers start threads at import otherwise. A service does its work in parallel by having workers."""


class LoadFailed(Exception):
    """The zygote could not load the object; the text is the safe cause."""


class ForkFailed(Exception):
    """No worker came of it; the text says why."""


@dataclass(frozen=True)
class Loaded:
    """What the zygote loaded: the mode it resolved, and the serialized Describe response."""

    mode: str
    description: bytes


@dataclass(frozen=True)
class Forked:
    """A new worker; whoever takes it owns `pidfd`. `status` comes when the zygote has reaped it."""

    pid: int
    pidfd: int
    status: asyncio.Future[int]


def environment(own: Mapping[str, str], service: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The environment of zygote and workers: a little of the host's `own`, then the service's. Nothing else leaks in."""
    kept = {name: own[name] for name in PASSED_ON if name in own}
    return {**kept, **_SINGLE, "MALLOC_ARENA_MAX": "2", **dict(service)}


class Zygote:
    """A running zygote. `loaded` ends with LoadFailed where the object cannot be loaded, `ended` with words for how.

    It inherits the descriptors `handed` beside its own.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Log, handed: Sequence[int] = ()) -> None:
        self._loop = asyncio.get_running_loop()
        self._log = log
        self._statuses: dict[int, asyncio.Future[int]] = {}
        self._forks: dict[int, asyncio.Future[Forked]] = {}
        self._number = 0
        self.loaded: asyncio.Future[Loaded] = self._loop.create_future()
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self._sock, theirs = control.pair()
        self._sock.setblocking(False)
        with theirs:
            self._start(command, env, theirs, handed)
        self._loop.add_reader(self._sock, self._readable)
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._gone)

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(
        self, command: Sequence[str], env: Mapping[str, str], theirs: socket.socket, handed: Sequence[int]
    ) -> None:
        reading, writing = os.pipe()
        # The kernel ends the zygote with the thread that starts it, so this runs in the main thread.
        arguments = [*command, "--control", str(theirs.fileno()), "--parent", str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                pass_fds=(theirs.fileno(), *handed),
                env=dict(env),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        self._output = Output(reading, lambda text: self._log.info("output", text=text, pid=self.pid))

    async def fork(self, data: int, output: int) -> Forked:
        """One more worker with these descriptors. Raises ForkFailed; a zygote that does not answer is killed."""
        self._number += 1
        number = self._number
        answer: asyncio.Future[Forked] = self._loop.create_future()
        self._forks[number] = answer
        try:
            control.send(self._sock, {"fork": number}, (data, output))
            await asyncio.wait({answer}, timeout=FORK_TIMEOUT)
        except OSError:
            pass  # it ended, or it is stuck and its socket is full
        finally:
            self._forks.pop(number, None)
        if not answer.done():
            self.kill()
            raise ForkFailed("the zygote did not answer")
        return answer.result()

    def kill(self) -> None:
        if self._pidfd >= 0:
            process.signal_pidfd(self._pidfd)

    async def stop(self, patience: float) -> None:
        """Ends the zygote and all that came from it: by closing its socket, after `patience` seconds by killing it."""
        self._hang_up()
        await asyncio.wait({self.ended}, timeout=patience)
        self.kill()
        await asyncio.wait({self.ended})

    def _readable(self) -> None:
        try:
            packet = control.receive(self._sock)
            if packet is None:
                self._loop.remove_reader(self._sock)  # its end follows
                return
            self._received(packet)
        except BlockingIOError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._log.error("zygote broke the protocol", problem=type(error).__name__)
            self._loop.remove_reader(self._sock)
            self.kill()

    def _received(self, packet: control.Packet) -> None:
        body = packet.body
        if "exited" in body:
            self._ended(int(body["exited"]), int(body["status"]))
        elif "forked" in body:
            self._answer(int(body["forked"]), self._born(int(body["pid"]), packet.fds[0]))
        elif "refused" in body:
            self._answer(int(body["refused"]), ForkFailed(os.strerror(int(body["errno"]))))
        elif "loaded" in body:
            self._take_loaded(body, packet.fds)
        else:
            self._log.error("service cannot be loaded", cause=str(body["failed"]), text=str(body["log"]))
            self._settle(LoadFailed(str(body["failed"])))

    def _born(self, pid: int, pidfd: int) -> Forked:
        status: asyncio.Future[int] = self._loop.create_future()
        self._statuses[pid] = status
        return Forked(pid, pidfd, status)

    def _ended(self, pid: int, status: int) -> None:
        known = self._statuses.pop(pid, None)
        if known is not None:
            known.set_result(status)

    def _take_loaded(self, body: Mapping[str, Any], fds: tuple[int, ...]) -> None:
        with os.fdopen(fds[0], "rb") as file:
            file.seek(0)
            description = file.read(MAX_DESCRIPTION)
        if body["loaded"] not in ("sync", "async") or len(description) != body["bytes"]:
            raise ValueError("not a description")
        if not self.loaded.done():
            self.loaded.set_result(Loaded(body["loaded"], description))

    def _answer(self, number: int, answer: Forked | ForkFailed) -> None:
        waiting = self._forks.pop(number, None)
        if waiting is not None and not waiting.done():
            if isinstance(answer, ForkFailed):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)
        elif isinstance(answer, Forked):  # whoever asked has given up
            process.signal_pidfd(answer.pidfd)
            os.close(answer.pidfd)

    def _settle(self, error: LoadFailed) -> None:
        if not self.loaded.done():
            self.loaded.set_exception(error)
            self.loaded.exception()  # marks it as seen: nobody may be waiting

    def _gone(self) -> None:
        """The process has ended."""
        self._loop.remove_reader(self._pidfd)
        status = process.describe_status(self._process.wait())
        with suppress(ValueError, OSError):
            self._drain()
        self._hang_up()
        os.close(self._pidfd)
        self._pidfd = -1
        self._output.close()
        self._settle(LoadFailed(f"the process ended while it loaded the service ({status})"))
        for number in list(self._forks):
            self._answer(number, ForkFailed("the zygote has ended"))
        if not self.ended.done():
            self.ended.set_result(status)

    def _hang_up(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _drain(self) -> None:
        """What the zygote said before its end: the cause of a failed import arrives together with the exit."""
        while self._sock.fileno() >= 0 and (packet := control.receive(self._sock)) is not None:
            self._received(packet)
