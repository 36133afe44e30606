"""A place like a pod: a container's walls from bubblewrap, in a network that a policy bounds or leaves open. Run with a JSON
request as its argument, in a user and network namespace of its own; prints what the service in it proves.

The network: everything goes into nothing, as with a policy that drops packets; or public name servers and the cluster's API
server answer, as where no plugin enforces the policy.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
from firebreak.v1 import host_pb2, host_pb2_grpc

STATES = {1: "held", 2: "broken", 3: "not in force"}
API_SERVER = ("10.96.0.1", 443)
ANSWERING = (("1.1.1.1", 53), ("8.8.8.8", 53), API_SERVER)


def iproute() -> str | None:
    return shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")


def main(request: Mapping[str, Any]) -> None:
    _ip("link", "set", "lo", "up")
    _ip("route", "add", "default", "dev", "lo")
    with ExitStack() as stack:
        for address in ANSWERING if request["open"] else ():
            _ip("address", "add", f"{address[0]}/32", "dev", "lo")
            stack.enter_context(socket.create_server(address))
        stack.enter_context(_container(request["command"], request["log"]))
        print(json.dumps(_proven()))


def _ip(*words: str) -> None:
    program = iproute()
    assert program is not None
    subprocess.run([program, *words], check=True)


@contextmanager
def _container(command: Sequence[str], log: str) -> Iterator[None]:
    with open(log, "w") as file:
        process = subprocess.Popen(command, stderr=file)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _proven() -> dict[str, tuple[str, str]]:
    """State and detail of each promise, asked as the gateway asks."""
    with grpc.insecure_channel("127.0.0.1:7600") as channel:
        stub = host_pb2_grpc.HostServiceStub(channel)
        request = host_pb2.HostServiceProveRequest(addresses=["0.0.0.0:7500", "0.0.0.0:7501"])
        answer = stub.Prove(request, timeout=20, wait_for_ready=True)
    return {promise.name: (STATES.get(promise.state, "unknown"), promise.detail) for promise in answer.promises}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
