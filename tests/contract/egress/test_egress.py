"""The egress proxy as a process, on real sockets, with a real host behind it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.egress.proxy import ROOT, Proxy, echo, entry, host, read, until

GIB = 1024**3
PIECE = b"x" * 1024**2


@pytest.fixture
def port() -> Iterator[int]:
    with host(echo) as port:
        yield port


@pytest.fixture
def proxy(sockets: Path, port: int) -> Iterator[Proxy]:
    """The service `shop` may reach the host by CONNECT, `other` may reach nothing."""
    proxy = Proxy(sockets, shop=[entry(port), entry(port, host="localhost")], other=[])
    yield proxy
    assert proxy.stop() < 1.0


def test_a_tunnel_by_address_and_by_name(proxy: Proxy, port: int) -> None:
    for name in ("127.0.0.1", "localhost"):
        with proxy.tunnel(f"{name}:{port}") as sock:
            sock.sendall(b"hello")
            sock.shutdown(socket.SHUT_WR)
            assert read(sock) == b"hello"
    until(lambda: len(proxy.lines()) == 2, "the log")
    first, second = proxy.lines()
    assert [first["host"], second["host"]] == ["127.0.0.1", "localhost"]
    assert (first["service"], first["port"], first["verdict"], first["bytes_up"], first["bytes_down"]) == (
        "shop",
        port,
        "allowed",
        5,
        5,
    )


def test_which_socket_it_is_says_whose_list_counts(proxy: Proxy, port: int) -> None:
    request = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode()
    assert proxy.ask(request, "other").startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "target", ["localhost:1", "127.0.0.2:443", "169.254.169.254:80", "[::1]:443", "metadata.google.internal:80"]
)
def test_anything_else_is_refused(proxy: Proxy, target: str) -> None:
    answer = proxy.ask(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode()).decode()
    assert answer.startswith(f"HTTP/1.1 403 Firebreak egress: {target} is not on the list of this service. ")


def test_a_name_at_a_private_address_is_refused_unless_that_is_meant(proxy: Proxy, port: int) -> None:
    proxy.allow(shop=[entry(port, host="localhost", private=False)])
    request = f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode()
    until(lambda: b"at an address that is not public" in proxy.ask(request), "the new list")


def test_a_metadata_address_is_not_reached_even_when_it_is_listed(proxy: Proxy) -> None:
    proxy.allow(shop=[entry(80, scheme="http", host="169.254.169.254")])
    request = b"GET http://169.254.169.254/latest/meta-data/ HTTP/1.1\r\n\r\n"
    until(lambda: b"never reached" in proxy.ask(request), "the new list")


def test_a_host_that_does_not_listen(proxy: Proxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    proxy.allow(shop=[entry(port)])
    request = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode()
    until(lambda: proxy.ask(request).startswith(b"HTTP/1.1 502 "), "the new list")


def test_a_plain_request_and_its_answer(sockets: Path) -> None:
    asked: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        asked.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    with host(serve) as port:
        proxy = Proxy(sockets, shop=[entry(port, scheme="http")])
        try:
            answer = proxy.ask(f"GET http://127.0.0.1:{port}/a?b HTTP/1.1\r\nHost: evil\r\n\r\n".encode())
            assert answer == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
            assert asked == [f"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()]
        finally:
            proxy.stop()


def test_a_large_stream_both_ways_takes_no_memory(sockets: Path) -> None:
    """A gibibyte in all: half of it up and half of it down."""
    half = GIB // 2

    def serve(sock: socket.socket) -> None:
        left = half
        while left:
            left -= len(sock.recv(min(left, 1024**2)))
        for _ in range(half // len(PIECE)):
            sock.sendall(PIECE)

    with host(serve) as port:
        proxy = Proxy(sockets, shop=[entry(port)])
        try:
            with proxy.tunnel(f"127.0.0.1:{port}") as sock:
                before = proxy.memory()
                for _ in range(half // len(PIECE)):
                    sock.sendall(PIECE)
                left, most = half, 0
                while left:
                    left -= len(sock.recv(min(left, 1024**2)))
                    most = max(most, proxy.memory())
            assert most - before < 8 * 1024**2
            until(lambda: len(proxy.lines()) == 1, "the log")
            assert proxy.lines()[0]["bytes_up"] == proxy.lines()[0]["bytes_down"] == half
        finally:
            proxy.stop()


def test_a_service_that_comes_or_goes_leaves_the_others_alone(proxy: Proxy, port: int) -> None:
    with proxy.tunnel(f"127.0.0.1:{port}") as sock:
        proxy.allow(shop=[entry(port)], third=[entry(port)])
        until(lambda: (proxy.sockets / "third/egress.sock").exists(), "the third socket")
        until(lambda: not (proxy.sockets / "other/egress.sock").exists(), "the end of the other")
        sock.sendall(b"still here")
        assert sock.recv(10) == b"still here"


def test_it_ends_at_once_with_connections_open(proxy: Proxy, port: int) -> None:
    open_ = [proxy.tunnel(f"127.0.0.1:{port}") for _ in range(8)] + [proxy.connect()]
    assert proxy.stop() < 1.0
    for sock in open_:
        with sock:
            assert read(sock) == b""
    assert not list(proxy.sockets.glob("*/egress.sock"))


def test_one_that_was_killed_is_followed_by_one_that_listens_in_the_same_folder(sockets: Path, port: int) -> None:
    first = Proxy(sockets, shop=[entry(port)])
    first.process.kill()
    first.process.wait()
    folder = (first.sockets / "shop").stat().st_ino
    second = Proxy(sockets, shop=[entry(port)])
    try:
        assert second.ask(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nhello".encode(), "shop").endswith(b"\r\n\r\nhello")
        assert (second.sockets / "shop").stat().st_ino == folder
    finally:
        second.stop()


def test_many_connections_at_once(proxy: Proxy, port: int) -> None:
    done: list[bytes] = []

    def run(number: int) -> None:
        with proxy.tunnel(f"127.0.0.1:{port}") as sock:
            sock.sendall(b"%d" % number)
            sock.shutdown(socket.SHUT_WR)
            done.append(read(sock))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(b"%d" % number for number in range(50))


def test_with_time_to_end_it_serves_on_until_no_connection_is_open(sockets: Path, port: int) -> None:
    proxy = Proxy(sockets, grace=30, shop=[entry(port)])
    with proxy.tunnel(f"127.0.0.1:{port}") as sock:
        proxy.process.send_signal(signal.SIGTERM)
        with proxy.tunnel(f"127.0.0.1:{port}") as late:
            late.sendall(b"in time")
            assert late.recv(7) == b"in time"
        sock.sendall(b"to the end")
        assert sock.recv(10) == b"to the end"
        assert proxy.process.poll() is None
    assert proxy.process.wait(5) == 0


def test_with_time_to_end_and_no_connection_it_ends_at_once(sockets: Path, port: int) -> None:
    assert Proxy(sockets, grace=30, shop=[entry(port)]).stop() < 5.0


def test_when_its_time_is_over_it_cuts_connections_off(sockets: Path, port: int) -> None:
    proxy = Proxy(sockets, grace=0.3, shop=[entry(port)])
    with proxy.tunnel(f"127.0.0.1:{port}") as sock:
        assert 0.3 <= proxy.stop() < 5.0
        assert read(sock) == b""


@pytest.mark.parametrize("grace", ["-1", "inf", "soon"])
def test_a_time_that_makes_no_sense_is_refused(tmp_path: Path, grace: str) -> None:
    command = [sys.executable, "-m", "cli.egress", "--config", "c", "--sockets", str(tmp_path), f"--grace={grace}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, f"'{grace}' is no number of seconds" in done.stderr) == (2, True)
