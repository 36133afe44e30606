"""A service's socket: how many connections it takes, and what happens to them when its list changes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.egress.allow import Entry, Target
from cli.egress.bounds import Bounds
from cli.egress.door import Door, listen
from tests.unit.cli.egress.loop import Peer, pair, with_sockets

SECURE, OTHER = Entry("https", "a.org", 443), Entry("https", "b.org", 443)


class Open:
    """A door that is open. `hosts` are the far ends of what it connected to, `lines` its log."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self.lines: list[dict[str, object]] = []
        self.hosts: list[Peer] = []
        self.fault: Exception | None = None
        self._path = str(folder / "egress.sock")
        self._clients: list[Peer] = []
        self.door = Door("shop", listen(folder), self._reach, bounds, self.lines.append)
        self.door.allow([SECURE, OTHER])
        self.task = asyncio.create_task(self.door.run())

    async def _reach(self, target: Target, entry: Entry) -> socket.socket:
        if self.fault is not None:
            raise self.fault
        near, host = pair()
        self.hosts.append(host)
        return near

    async def client(self) -> Peer:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self._path)
        self._clients.append(Peer(sock))
        return self._clients[-1]

    async def tunnel(self, host: str = "a.org") -> Peer:
        client = await self.client()
        await client.send(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        assert (await client.receive(39)).startswith(b"HTTP/1.1 200 ")
        return client

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})
        for peer in (*self._clients, *self.hosts):
            peer.close()


@contextlib.asynccontextmanager
async def opened(folder: Path, bounds: Bounds | None = None) -> AsyncIterator[Open]:
    made = Open(folder, bounds or Bounds())
    try:
        yield made
    finally:
        await made.close()


@with_sockets
async def test_each_connection_has_a_line_in_the_log(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        client = await it.tunnel()
        await asyncio.sleep(2.5)
        await client.send(b"up")
        await it.hosts[0].send(b"down")
        await client.receive(4)
        client.finish()
        it.hosts[0].finish()
        await client.rest()
        await asyncio.sleep(0)
    assert it.lines == [
        {
            "event": "egress",
            "service": "shop",
            "host": "a.org",
            "port": 443,
            "verdict": "allowed",
            "reason": "",
            "bytes_up": 2,
            "bytes_down": 4,
            "ms": 2500.0,
        }
    ]


@with_sockets
async def test_connections_are_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        clients = [await it.tunnel() for _ in range(64)]
        turned_away = await it.client()
        assert (await turned_away.rest()).startswith(
            b"HTTP/1.1 503 Firebreak egress: this service has 64 connections already"
        )
        clients[0].close()
        it.hosts[0].close()
        await asyncio.sleep(1)
        await it.tunnel()
    assert [line["verdict"] for line in it.lines].count("refused") == 1


@with_sockets
async def test_new_connections_are_bounded_in_time_and_the_others_wait(tmp_path: Path) -> None:
    async with opened(tmp_path, Bounds(per_second=2.0, burst=3)) as it:
        begun = asyncio.get_running_loop().time()
        taken = []
        for _ in range(5):
            (await it.tunnel()).close()
            it.hosts[-1].close()
            taken.append(round(asyncio.get_running_loop().time() - begun, 3))
        assert taken == [0.0, 0.0, 0.0, 0.5, 1.0]


@with_sockets
async def test_what_the_new_list_does_not_have_is_cut_off_and_the_rest_is_not_touched(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        gone, stays = await it.tunnel("a.org"), await it.tunnel("b.org")
        it.door.allow([OTHER])
        assert await gone.rest() == b""
        assert await it.hosts[0].rest() == b""
        await stays.send(b"x")
        assert await it.hosts[1].receive(1) == b"x"
        refused = await it.client()
        await refused.send(b"CONNECT a.org:443 HTTP/1.1\r\n\r\n")
        assert (await refused.rest()).startswith(b"HTTP/1.1 403 ")
    cut, *_ = it.lines
    assert (cut["host"], cut["verdict"], cut["reason"]) == ("a.org", "allowed", "it is not on the list any more")


@with_sockets
async def test_a_request_is_judged_by_the_list_as_it_is_then(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        client = await it.client()
        await client.send(b"CONNECT a.org:443 HTTP/1.1\r\n")
        await asyncio.sleep(1)
        it.door.allow([])
        await client.send(b"\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 403 ")


@with_sockets
async def test_a_fault_of_the_proxy_ends_one_connection(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        it.fault = RuntimeError("a fault with a secret")
        client = await it.client()
        await client.send(b"CONNECT a.org:443 HTTP/1.1\r\n\r\n")
        assert await client.rest() == b""
        it.fault = None
        await it.tunnel()
    assert (it.lines[0]["verdict"], it.lines[0]["reason"]) == ("failed", "the proxy itself failed: RuntimeError")


@with_sockets
async def test_when_it_closes_everything_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        client, waiting = await it.tunnel(), await it.client()
        await asyncio.sleep(1)
        it.task.cancel()
        assert await client.rest() == await it.hosts[0].rest() == await waiting.rest() == b""
    assert len(it.lines) == 2


def test_the_folder_and_the_socket_are_this_users_own(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    with listen(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.name for path in folder.iterdir()] == ["egress.sock"]
    folder.chmod(0o755)
    before = folder.stat().st_ino
    with listen(folder):  # in place of the one that a proxy which was killed left behind
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert [path.name for path in folder.iterdir()] == ["egress.sock"]
        assert folder.stat().st_ino == before


def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120) / "shop"
    with listen(folder):
        assert (folder / "egress.sock").is_socket()


def test_where_there_can_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    with pytest.raises(OSError):
        listen(tmp_path / "shop")
