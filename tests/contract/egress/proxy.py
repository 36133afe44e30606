"""The real proxy process over a folder of sockets, and a host on loopback that it may reach."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
Serve = Callable[[socket.socket], None]


def entry(port: int, scheme: str = "https", host: str = "127.0.0.1", private: bool = True, below: bool = False) -> Any:
    return {"scheme": scheme, "host": host, "port": port, "below": below, "private": private}


class Proxy:
    """`python -m cli.egress`, until `stop`."""

    def __init__(self, folder: Path, grace: float = 0, **services: Any) -> None:
        self._grace = grace
        self.file, self.sockets, self._log = folder / "egress.json", folder / "s", folder / "log"
        self.start(**services)

    def start(self, **services: Any) -> None:
        """With these services' lists in force; once more after `stop`."""
        self.allow(**services)
        command = [sys.executable, "-m", "cli.egress", "--config", str(self.file), "--sockets", str(self.sockets)]
        command += ["--grace", str(self._grace)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log, stdin=subprocess.DEVNULL)
        until(lambda: self._events().count("egress is open") == len(services), "the sockets")

    def allow(self, **services: Any) -> None:
        draft = self.file.with_suffix(".part")
        draft.write_text(json.dumps({"services": services}))
        draft.replace(self.file)

    def connect(self, service: str = "shop") -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(20)
        try:
            sock.connect(str(self.sockets / service / "egress.sock"))
        except OSError:
            sock.close()
            raise
        return sock

    def tunnel(self, target: str, service: str = "shop") -> socket.socket:
        """Open already; fails the test where it is refused."""
        sock = self.connect(service)
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
        assert sock.recv(39) == b"HTTP/1.1 200 Connection established\r\n\r\n"
        return sock

    def ask(self, request: bytes, service: str = "shop") -> bytes:
        """The whole answer."""
        with self.connect(service) as sock:
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
            return read(sock)

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines about connections."""
        return [line for line in self._logged() if line["event"] == "egress"]

    def _events(self) -> list[str]:
        return [line["event"] for line in self._logged()]

    def _logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def memory(self) -> int:
        """Bytes of it that are resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> float:
        """Seconds that it took to end after SIGTERM."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(5) == 0
        finally:
            self.process.kill()
            self.process.wait()
        return time.monotonic() - begun


@contextlib.contextmanager
def running(**services: Any) -> Iterator[Proxy]:
    """A proxy with a folder of its own, whose path is short."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    proxy = Proxy(folder, **services)
    try:
        yield proxy
    finally:
        proxy.stop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def forwarded(proxy: Proxy, service: str) -> Iterator[int]:
    """A port of loopback where the service finds the proxy: what its host does for it in the sandbox."""

    def serve(sock: socket.socket) -> None:
        with proxy.connect(service) as far:
            back = threading.Thread(target=copy, args=(far, sock))
            back.start()
            copy(sock, far)
            back.join()

    with host(serve) as port:
        yield port


def copy(source: socket.socket, sink: socket.socket) -> None:
    """All until the end, and the end too; what breaks is an end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def until(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.01)


def read(sock: socket.socket) -> bytes:
    """All until the end."""
    data = bytearray()
    while piece := sock.recv(65536):
        data += piece
    return bytes(data)


@contextlib.contextmanager
def host(serve: Serve) -> Iterator[int]:
    """A server on loopback that has each connection served in a thread; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=served, args=(listener.accept()[0],), daemon=True).start()

        def served(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                serve(sock)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def echo(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)
