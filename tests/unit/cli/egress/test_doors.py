"""Services come and go with the file."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cli.egress.allow import Entry
from cli.egress.doors import PAUSE, Doors
from tests.unit.cli.egress.loop import Peer, pair, with_sockets

LINE = {"scheme": "https", "host": "a.org", "port": 443, "below": False, "private": False}


class Following:
    """Doors that follow a file, which `write` replaces."""

    def __init__(self, folder: Path) -> None:
        self.file, self.sockets = folder / "egress.json", folder / "sockets"
        self.lines: list[dict[str, object]] = []
        self.hosts: list[Peer] = []
        self.doors = Doors(self.file, self.sockets, self.lines.append, resolve=self._resolve, connect=self._connect)
        self._written = 0
        self._clients: list[Peer] = []

    async def _resolve(self, host: str, port: int) -> list[str]:
        return ["1.1.1.1"]

    async def _connect(self, address: str, port: int) -> socket.socket:
        near, host = pair()
        self.hosts.append(host)
        return near

    def write(self, **services: Any) -> None:
        self.write_bytes(json.dumps({"services": services}).encode())

    def write_bytes(self, data: bytes) -> None:
        draft = self.file.with_suffix(".part")
        draft.write_bytes(data)
        draft.replace(self.file)

    def open(self) -> list[str]:
        return sorted(path.parent.name for path in self.sockets.glob("*/egress.sock"))

    async def tunnel(self, service: str, host: str = "a.org") -> Peer:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        self._clients.append(Peer(sock))
        await asyncio.get_running_loop().sock_connect(sock, str(self.sockets / service / "egress.sock"))
        await self._clients[-1].send(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        return self._clients[-1]

    async def run(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.doors.run())
        await asyncio.sleep(0.01)
        return task

    async def end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait({task})
        for peer in (*self._clients, *self.hosts):
            peer.close()

    def events(self) -> list[object]:
        return [line["event"] for line in self.lines]


@with_sockets
async def test_services_come_and_go_and_the_others_connections_stay(tmp_path: Path) -> None:
    it = Following(tmp_path)
    it.write(one=[LINE], two=[LINE])
    task = await it.run()
    assert it.open() == ["one", "two"]
    gone, stays = await it.tunnel("one"), await it.tunnel("two")
    for client in (gone, stays):
        assert (await client.receive(39)).startswith(b"HTTP/1.1 200 ")
    it.write(two=[LINE], three=[LINE])
    await asyncio.sleep(PAUSE)
    assert it.open() == ["three", "two"]
    assert await gone.rest() == b""
    await stays.send(b"x")
    assert await it.hosts[1].receive(1) == b"x"
    assert (tmp_path / "sockets/one").is_dir()
    await it.end(task)
    assert it.open() == []


@with_sockets
async def test_a_list_that_changes_counts_within_a_quarter_of_a_second(tmp_path: Path) -> None:
    it = Following(tmp_path)
    it.write(one=[])
    task = await it.run()
    assert (await (await it.tunnel("one")).rest()).startswith(b"HTTP/1.1 403 ")
    it.write(one=[LINE])
    await asyncio.sleep(PAUSE)
    assert (await (await it.tunnel("one")).receive(39)).startswith(b"HTTP/1.1 200 ")
    await it.end(task)


@pytest.mark.parametrize("data", [b"{", b'{"services": {"one": [{}]}}', b"x" * (4 * 1024**2 + 1)])
@with_sockets
async def test_a_file_that_is_wrong_changes_nothing_and_is_told_once(tmp_path: Path, data: bytes) -> None:
    it = Following(tmp_path)
    it.write(one=[LINE])
    task = await it.run()
    it.write_bytes(data)
    await asyncio.sleep(10 * PAUSE)
    assert it.open() == ["one"]
    assert it.events() == ["egress is open", "the lists of egress are not in force"]
    it.write(two=[LINE])
    await asyncio.sleep(PAUSE)
    assert it.open() == ["two"]
    await it.end(task)


@with_sockets
async def test_a_file_that_is_missing_changes_nothing_and_one_that_comes_counts(tmp_path: Path) -> None:
    it = Following(tmp_path)
    task = await it.run()
    await asyncio.sleep(4 * PAUSE)
    it.write(one=[LINE])
    await asyncio.sleep(PAUSE)
    it.file.unlink()
    await asyncio.sleep(4 * PAUSE)
    assert it.open() == ["one"]
    assert it.events().count("the lists of egress are not in force") == 1 + 1
    await it.end(task)


@with_sockets
async def test_a_socket_that_cannot_be_made_keeps_no_other_from_it_and_is_tried_again(tmp_path: Path) -> None:
    it = Following(tmp_path)
    it.sockets.mkdir()
    (it.sockets / "one").write_text("in the way")
    it.write(one=[LINE], two=[LINE])
    task = await it.run()
    await asyncio.sleep(4 * PAUSE)
    assert it.open() == ["two"]
    assert it.events().count("the lists of egress are not in force") == 1
    (it.sockets / "one").unlink()
    await asyncio.sleep(PAUSE)
    assert it.open() == ["one", "two"]
    await it.end(task)


@with_sockets
async def test_it_is_quiet_once_the_last_connection_has_ended_and_new_ones_are_served_until_then(
    tmp_path: Path,
) -> None:
    it = Following(tmp_path)
    it.write(one=[LINE], two=[LINE])
    task = await it.run()
    first = await it.tunnel("one")
    await first.receive(39)
    quiet = asyncio.create_task(it.doors.quiet(60))
    await asyncio.sleep(1)
    second = await it.tunnel("two")
    assert (await second.receive(39)).startswith(b"HTTP/1.1 200 ")
    for number, client in enumerate((first, second)):
        assert not quiet.done()
        client.close()
        it.hosts[number].close()
        await asyncio.sleep(1)
    assert quiet.done()
    await it.end(task)


@pytest.mark.parametrize("seconds", [0.0, 5.0])
@with_sockets
async def test_it_is_not_waited_for_longer_than_was_said(tmp_path: Path, seconds: float) -> None:
    it = Following(tmp_path)
    it.write(one=[LINE])
    task = await it.run()
    client = await it.tunnel("one")
    await client.receive(39)
    begun = asyncio.get_running_loop().time()
    await it.doors.quiet(seconds)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(seconds)
    await client.send(b"x")
    assert await it.hosts[0].receive(1) == b"x"
    await it.end(task)


def test_an_entry_is_what_the_launcher_writes() -> None:
    assert set(LINE) == set(Entry("https", "a.org", 443).__dataclass_fields__)
