"""The way to the egress proxy, with a proxy that only says what it got."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from firebreak_runtime.egress import CONNECTIONS, Forwarder, listening

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Start = Callable[[Peer | None], Awaitable[Connect]]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers when all has been said, which takes a half-closed connection."""
    said = await reader.read()
    writer.write(b"you said " + said)
    writer.close()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Runs a forwarder to a peer, or to nobody; gives what connects to it. Whatever was opened is closed in the end."""
    running: list[asyncio.Task[None]] = []
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await peer(reader, writer)

    async def run(peer: Peer | None) -> Connect:
        path = str(tmp_path / "egress.sock")
        if peer is not None:
            servers.append(await asyncio.start_unix_server(functools.partial(serve, peer), path))
        sock = listening(0)
        port = sock.getsockname()[1]
        running.append(asyncio.ensure_future(Forwarder(sock, path).run()))

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            return reader, writer

        return connect

    yield run
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    for server in servers:
        server.close()
    for writer in writers:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_what_is_said_arrives_and_is_answered_after_its_end(start: Start) -> None:
    connect = await start(_echo)
    reader, writer = await connect()
    writer.write(b"hello")
    writer.write_eof()
    assert await reader.read() == b"you said hello"


async def test_an_answer_that_is_read_late_is_whole(start: Start) -> None:
    size = 4 * 1024**2

    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * size)
        writer.write_eof()

    connect = await start(peer)
    reader, writer = await connect()
    writer.write_eof()
    total = 0
    while data := await reader.read(1000):
        total += len(data)
    assert total == size


async def test_who_is_not_listened_to_cannot_go_on(start: Start) -> None:
    silent = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.write(str(len(await reader.read())).encode())
        writer.close()

    connect = await start(peer)
    reader, writer = await connect()
    writer.write(b"x" * 64 * 1024**2)
    stuck = asyncio.ensure_future(writer.drain())
    await asyncio.wait({stuck}, timeout=0.3)
    assert not stuck.done()
    silent.set()
    await stuck
    writer.write_eof()
    assert await reader.read() == str(64 * 1024**2).encode()


async def test_without_a_proxy_it_says_so_and_closes_the_connection(start: Start) -> None:
    reader, writer = await (await start(None))()
    writer.write(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    head, _, text = (await reader.read()).decode().partition("\r\n\r\n")
    assert text == "Firebreak egress: the egress proxy of this service is not running. It is started again by itself\n"
    assert head.split("\r\n") == [
        f"HTTP/1.1 503 {text[:-1]}",
        "Firebreak-Egress: failed",
        "Connection: close",
        f"Content-Length: {len(text)}",
    ]


async def test_without_a_proxy_a_client_that_goes_on_sending_is_cut_off(start: Start) -> None:
    reader, writer = await (await start(None))()
    assert await reader.readline()
    with pytest.raises(ConnectionError):
        while True:
            writer.write(b"x" * 1024)
            await writer.drain()
            await asyncio.sleep(0)


async def test_a_proxy_that_hangs_up_closes_the_connection(start: Start) -> None:
    async def peer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    connect = await start(peer)
    reader, writer = await connect()
    writer.write(b"x")
    assert await _is_closed(reader)


async def test_so_many_connections_and_no_more(start: Start) -> None:
    connected = asyncio.Semaphore(0)

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.release()
        await reader.read()
        writer.close()

    connect = await start(peer)
    held = [await connect() for _ in range(CONNECTIONS)]
    for _ in held:
        await connected.acquire()
    assert await _is_closed((await connect())[0])
    held[0][1].write_eof()
    assert await held[0][0].read() == b""
    await asyncio.sleep(0)
    await connect()
    await connected.acquire()


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError):
        return await reader.read() == b""
    return True


def test_a_port_that_is_taken_is_no_obstacle() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listening(port) as sock:
            assert sock.getsockname()[1] not in (0, port)


async def test_without_a_socket_there_is_no_way_out() -> None:
    running = asyncio.ensure_future(Forwarder(None, "/nowhere").run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
