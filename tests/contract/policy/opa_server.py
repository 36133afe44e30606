"""A real OPA server, started and stopped by the tests."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.programs import needed

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0


def find_opa() -> str:
    """The program; see `needed`."""
    return needed("opa", "OPA")


class OpaServer:
    """One OPA on a loopback port of its own, which it keeps over restarts."""

    def __init__(self, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OpaServer:
        self.start()
        return self

    def __exit__(self, *_ended: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts an empty OPA and waits until it answers."""
        command = [
            find_opa(),
            "run",
            "--server",
            "--addr",
            f"127.0.0.1:{self.port}",
            "--log-level",
            "error",
            *self._options,
        ]
        self._process = subprocess.Popen(
            [*command, "--disable-telemetry"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self._healthy():
            assert self._process.poll() is None, "OPA ended at once"
            assert time.monotonic() < deadline, "OPA did not start"
            time.sleep(0.02)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """Ends it the hard way."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
