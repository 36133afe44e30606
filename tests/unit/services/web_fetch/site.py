"""A site on loopback: pages that are odd in every way that a test needs, over HTTP or HTTPS."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Respond = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by path; keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    pages: dict[str, Respond]
    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.pages.get(self.path.partition("?")[0], missing)(self)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def answer(self, body: bytes, content_type: str = "text/plain", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def missing(handler: Handler) -> None:
    handler.answer(b"nothing here", status=404)


def text(body: bytes, content_type: str = "text/plain", **headers: str) -> Respond:
    return lambda handler: handler.answer(body, content_type, **headers)


def moved(location: str, status: int = 302) -> Respond:
    return lambda handler: handler.answer(b"", status=status, Location=location)


def packed(body: bytes, coding: str = "gzip") -> Respond:
    return text(gzip.compress(body), Content_Encoding=coding)


@dataclass
class Site:
    """A running site at `port`."""

    port: int
    pages: dict[str, Respond] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    made = Site(0)
    handler = type("SiteHandler", (Handler,), {"pages": made.pages, "asked": made.asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a caller that leaves is part of the tests
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
