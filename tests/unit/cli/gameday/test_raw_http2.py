"""Frames as RFC 9113 and RFC 7541 write them; that gRPC takes them is shown in tests/contract/test_slow_clients.py."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.gameday.raw_http2 import GOAWAY, PREFACE, SETTINGS, RawClient


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        yield listening


def test_it_says_hello_and_how_much_it_takes(server: socket.socket) -> None:
    client = RawClient(f"unix:{server.getsockname()}", window=8)
    accepted, _ = server.accept()
    assert accepted.recv(1000) == PREFACE + b"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + b"\x00\x04\x00\x00\x00\x08"
    client.close()
    accepted.close()


def test_without_hello_it_says_nothing(server: socket.socket) -> None:
    client = RawClient(f"unix:{server.getsockname()}", hello=False)
    accepted, _ = server.accept()
    client.close()
    assert accepted.recv(1000) == b""
    accepted.close()


def test_a_call_and_its_message(server: socket.socket) -> None:
    client = RawClient(f"unix:{server.getsockname()}", hello=False)
    accepted, _ = server.accept()
    client.begin("/a.B/C", (("x-long", "y" * 300),))
    headers = accepted.recv(10_000)
    assert (headers[3], headers[4], headers[5:9]) == (1, 4, b"\x00\x00\x00\x01")
    assert b"\x00\x05:path\x06/a.B/C" in headers
    assert b"\x00\x06x-long\x7f\xad\x01" + b"y" * 300 in headers
    client.say(b"hi")
    assert accepted.recv(10_000) == b"\x00\x00\x07\x00\x01\x00\x00\x00\x01" + b"\x00\x00\x00\x00\x02hi"
    client.close()
    accepted.close()


def test_frames_that_come_in_pieces(server: socket.socket) -> None:
    client = RawClient(f"unix:{server.getsockname()}")
    accepted, _ = server.accept()
    accepted.sendall(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x02\x07")
    coming = client.frames(5.0)
    assert next(coming) == SETTINGS
    assert not client.closed()
    accepted.sendall(b"\x00\x00\x00\x00\x00ab")
    assert next(client.frames(5.0)) == GOAWAY
    accepted.close()
    assert client.closed()
    client.close()
