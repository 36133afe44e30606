"""TLS in front of a server that speaks none, ended here as a sidecar or a cloud's load balancer does it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local import certificates


@dataclass
class Front:
    """Where it listens, the authority (PEM) of its certificate, and how many connections got through the handshake."""

    ca: Path
    host: str
    port: int = 0
    served: int = 0

    def url(self, user: str = "") -> str:
        return f"rediss://{user}{self.host}:{self.port}/0"


def authority(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A new authority's file, and a server's context with a certificate of it for this machine's loopback addresses."""
    now = certificates.utc(time.time())
    ca = certificates.authority(now)
    pair = certificates.server(ca, "spiffe://redis.test/redis", now)
    file, own = folder / f"{name}.crt", folder / f"{name}.pem"
    file.write_bytes(ca.certificate_pem)
    own.write_bytes(pair.key_pem + pair.certificate_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own)
    return file, context


@asynccontextmanager
async def tls_front(behind: int, folder: Path, host: str = "127.0.0.1") -> AsyncIterator[Front]:
    """Passes on what it decrypts to port `behind` of loopback, until its end. Its certificate is for 127.0.0.1."""
    ca, context = authority(folder, "front")
    front = Front(ca, host)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front.served += 1
        onward, back = await asyncio.open_connection("127.0.0.1", behind)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(reader, back))
            both.create_task(_pass_on(onward, writer))

    server = await asyncio.start_server(serve, host, 0, ssl=context)
    front.port = server.sockets[0].getsockname()[1]
    async with server:
        yield front


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other side is gone, as is this one now
    finally:
        writer.close()
