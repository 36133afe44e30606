"""A tool that goes out in the ways in which code of a service can."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from langchain_core.tools import tool


@tool
def visit(url: str, way: str) -> str:
    """What comes of it: by the `proxy` of the environment, `direct`, or as a `packet` (UDP). `must` fails where there is no
    page, `change` takes away the file of this path."""
    try:
        if way == "change":
            os.unlink(url)
        return _packet(url) if way == "packet" else _page(url, way)
    except OSError as error:
        if way == "must":
            raise
        return f"{type(error).__name__}: {error}"


def _page(url: str, way: str) -> str:
    proxies = [urllib.request.ProxyHandler({})] if way == "direct" else []
    with urllib.request.build_opener(*proxies).open(url, timeout=10) as answer:
        return str(answer.read().decode())


def _packet(url: str) -> str:
    place = urlsplit(url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"hello", (place.hostname, place.port))
    return "sent"
