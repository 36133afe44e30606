"""Weighs what the self-test reached against what somebody claims."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from firebreak.v1 import host_pb2
from google.protobuf.message import DecodeError

from firebreak_runtime.errors import ServedError
from firebreak_runtime.generation import Surroundings
from firebreak_runtime.log import Log
from firebreak_runtime.self_test.asked import Asked
from firebreak_runtime.self_test_process import Findings, SelfTestFailed
from firebreak_runtime.walls import TESTED, Walls, path_of, port_of
from firebreak_runtime.zygote_process import PASSED_ON

FRESH = 1.0
"""Seconds for which an answer is given again to the same question."""
LOCKED = "/run/firebreak/locked"
"""In the sandbox: a folder that could be written to but for Landlock."""
_ENTRIES, _ENTRY = 256, 1024
_WAITING = 8
_PROCESS_ENVIRONMENT = ("PWD",)
"""What a sandbox adds to the environment of what it starts."""


class Prover:
    """Proves the walls of one service, one self-test at a time. `time` is in seconds, of any origin."""

    def __init__(
        self,
        around: Surroundings,
        walls: Walls,
        self_test: Callable[[Asked], Awaitable[Findings]],
        log: Log,
        time: Callable[[], float],
    ) -> None:
        self._around = around
        self._walls = walls
        self._self_test = self_test
        self._log = log
        self._time = time
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._last: tuple[bytes, float, bytes] | None = None

    async def prove(self, asked: host_pb2.HostServiceProveRequest) -> bytes:
        """The serialized response. Raises ServedError where too many ask at once, and where the self-test gives no answer: that
        says nothing of the walls."""
        if self._waiting >= _WAITING:
            raise ServedError("CONCURRENCY_LIMITED", "Too many proofs are asked for at once. Try again a little later.")
        self._waiting += 1
        try:
            async with self._turn:
                return self._known(asked) or await self._prove(asked)
        finally:
            self._waiting -= 1

    def _known(self, asked: host_pb2.HostServiceProveRequest) -> bytes:
        if self._last is None:
            return b""
        question, at, answer = self._last
        return answer if question == asked.SerializeToString() and self._time() - at < FRESH else b""

    async def _prove(self, asked: host_pb2.HostServiceProveRequest) -> bytes:
        try:
            with _abstract_socket() as name:
                findings = await self._self_test(self._question(asked, name))
        except SelfTestFailed as error:
            self._log.error("self-test failed", problem=str(error))
            raise ServedError(
                "TARGET_UNAVAILABLE",
                f"The self-test of {self._around.service.name} {error}. Try again a little later.",
                metadata={"target": self._around.service.name},
            ) from None
        promises = [self._weigh(name, findings) for name in TESTED]
        answer = host_pb2.HostServiceProveResponse(promises=promises).SerializeToString()
        self._last = asked.SerializeToString(), self._time(), answer
        return answer

    def _weigh(self, name: str, findings: Findings) -> host_pb2.Promise:
        reached, claimed = findings.reached.get(name), name in self._walls.claimed
        if untrue := self._walls.untrue.get(name) if claimed else "":
            reached = "; ".join(filter(None, (reached, untrue)))
        if reached is None:
            why = findings.untried.get(name, "it was not tried")
            return host_pb2.Promise(name=name, detail=f"could not be tried: {why}")
        if not reached:
            return host_pb2.Promise(name=name, state=host_pb2.PROMISE_STATE_HELD)
        why = self._walls.missing.get(name, "")
        state = host_pb2.PROMISE_STATE_BROKEN if claimed else host_pb2.PROMISE_STATE_NOT_IN_FORCE
        return host_pb2.Promise(name=name, state=state, detail=reached if claimed or not why else f"{why}; {reached}")

    def _question(self, asked: host_pb2.HostServiceProveRequest, abstract: str) -> Asked:
        around = self._around
        doors = [door for door in map(path_of, (around.gateway, around.egress, around.listen)) if door]
        # Of a token the folder: it is replaced by another file that takes its name.
        token = around.token_file.parent if around.token_file.is_absolute() else around.token_file
        tls = [file.parent if file.is_absolute() else file for file in around.tls_files()]
        own = [around.service.folder, *around.service.reads, *around.reads, token, *tls]
        own += [around.secrets] if around.secrets else []
        listens = path_of(around.listen)
        return Asked(
            files=tuple(file for file in asked.files if file not in map(str, around.tls_files())),
            sockets=tuple(asked.sockets),
            addresses=(*asked.addresses, *_api_server(os.environ)),
            own=tuple(map(str, own)),
            code=(str(around.service.folder),),
            doors=tuple(doors),
            guarded=(LOCKED, *((str(Path(listens).parent),) if listens else ())),
            environment=(*around.variables(os.environ), *PASSED_ON, *_PROCESS_ENVIRONMENT, *around.platform),
            host_environment=tuple(os.environ),
            host=os.getpid(),
            writable=around.writable,
            abstract=abstract,
            proxy=around.proxy,
            tcp=bool(around.proxy) or any(port_of(door) for door in (around.listen, around.gateway)),
            policy=around.network_policy,
            memory=around.service.memory,
            scratch=around.service.scratch,
        )


def _api_server(env: Mapping[str, str]) -> tuple[str, ...]:
    """Where a pod is told that the cluster's API server is: no service has any business there."""
    host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT")
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",) if host and port else ()


def prove_request(data: bytes) -> host_pb2.HostServiceProveRequest:
    """A request within its bounds. Raises ServedError."""
    try:
        asked = host_pb2.HostServiceProveRequest.FromString(data)
    except DecodeError:
        raise ServedError("REQUEST_MALFORMED", "The request is not a HostServiceProveRequest.") from None
    entries = (*asked.files, *asked.sockets, *asked.addresses)
    if len(entries) > _ENTRIES or any(len(entry.encode()) > _ENTRY or "\0" in entry for entry in entries):
        raise ServedError("REQUEST_MALFORMED", f"A proof takes at most {_ENTRIES} entries of {_ENTRY} bytes each.")
    return asked


@contextmanager
def _abstract_socket() -> Iterator[str]:
    """Listens at a socket without a path, which only Landlock keeps from a worker; gives its name."""
    name = f"firebreak-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("\0" + name)
        sock.listen()
        yield name
