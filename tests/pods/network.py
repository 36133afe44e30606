"""The pods' networks, of which each pod has one, as in a cluster. Nothing leads out of them; tests reach in by sockets that are
handed over."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.pods.sandbox import bubblewrap
from tests.programs import lacking

_NODE = "10.77.0.1"


class Network:
    """Made without rights of its own: bubblewrap makes the namespaces. Processes that it started end with it."""

    def __init__(self) -> None:
        if shutil.which("ip", path=_path()) is None:
            lacking("this test needs iproute2 (`ip`): install your system's package iproute2")
        own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        namespaces = ("--unshare-user", "--uid", "0", "--gid", "0", "--unshare-net", "--cap-add", "ALL")
        command = [bubblewrap(), *namespaces, "--die-with-parent", "--dev-bind", "/", "/", "--"]
        program = [sys.executable, "-I", str(Path(__file__).with_name("network_process.py")), _NODE]
        with other:
            self._process = subprocess.Popen([*command, *program], stdin=other, env={**os.environ, "PATH": _path()})
        self._socket = own
        self._asking = threading.Lock()

    def pod(self, address: str) -> None:
        """Makes the network of a pod."""
        self._ask("pod", address=address)

    def start(self, pod: str, command: list[str], log: Path) -> int:
        """Starts a sandbox in the network of a pod; answers the id of its first process."""
        return int(self._ask("start", pod=pod, command=command, log=str(log))["is"])

    def code(self, pid: int) -> int | None:
        """The exit code of a process that `start` has answered, None while it runs."""
        found: int | None = self._ask("code", pid=pid)["is"]
        return found

    def listen(self, address: str, port: int) -> socket.socket:
        """A socket that listens in the network, at an address that no pod has."""
        return _socket(self._ask("listen", address=address, port=port))

    def connect(self, address: str, port: int) -> socket.socket:
        """A connection to a pod. Raises OSError."""
        return _socket(self._ask("connect", address=address, port=port))

    def close(self) -> None:
        self._socket.close()
        self._process.wait(10)

    def _ask(self, do: str, **what: Any) -> dict[str, Any]:
        with self._asking:
            self._socket.send(json.dumps({"do": do, **what}).encode())
            message, sockets, _, _ = socket.recv_fds(self._socket, 1 << 16, 1)
        assert message, "the process of the pods' network has ended"
        answer: dict[str, Any] = json.loads(message)
        if "error" in answer:
            raise OSError(answer["error"])
        return {**answer, "sockets": sockets}


def _socket(answer: dict[str, Any]) -> socket.socket:
    return socket.socket(fileno=answer["sockets"][0])


def _path() -> str:
    """Where administrators' programs are, too."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
