"""A real OPA server for a fault: it can be killed, held, started again, and replaced by something that answers nonsense."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cli.gameday.instance import ROOT, free_port

PATIENCE = 30.0
NONSENSE = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"result": true}',
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{"result": {"allow": "yes"}}'[:-1],
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\xff\xfe\xfd\xfc\xfb",
    b"\x00\x01\x02 this is no HTTP at all\r\n\r\n",
)


def find_opa() -> str | None:
    """The program; None where it is not installed."""
    installed = ROOT / ".firebreak/tools/bin/opa"
    return str(installed) if installed.exists() else shutil.which("opa")


class Opa:
    """One OPA on a loopback port of its own, which it keeps over restarts."""

    def __init__(self, program: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Starts it empty and waits until it takes connections. Raises TimeoutError."""
        address, quiet = f"127.0.0.1:{self.port}", ("--log-level", "error", "--disable-telemetry")
        command = ["nice", "-n", "10", self._program, "run", "--server", "--addr", address, *quiet]
        self._process = await asyncio.to_thread(
            subprocess.Popen, command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        async with asyncio.timeout(PATIENCE):
            while not await self._listens():  # noqa: ASYNC110 - another process begins to listen
                await asyncio.sleep(0.02)

    async def _listens(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False

    def hold(self) -> None:
        """It is there, takes connections and does nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @asynccontextmanager
    async def nonsense(self) -> AsyncIterator[None]:
        """While it is dead something else has its port, and answers each question with another kind of nonsense."""
        turn = 0

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal turn
            with suppress(OSError, asyncio.IncompleteReadError):
                while await reader.readuntil(b"\r\n\r\n"):
                    turn += 1
                    writer.write(NONSENSE[turn % len(NONSENSE)])
                    await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()
