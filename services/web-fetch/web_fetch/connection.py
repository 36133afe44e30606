"""A connection to one place: to an address that was checked, or through a proxy, which looks names up and checks itself."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .allow import PORTS, Place, Refused

_MARK = "Firebreak-Egress"
"""The header of the answers that the egress proxy gives itself."""
_SPEAKER = "Firebreak egress: "


class FetchFailed(Exception):
    """The page could not be had; the text says why."""


@dataclass(frozen=True)
class Via:
    """Where to connect to: the address of the place itself, or of a proxy."""

    address: str
    port: int
    proxy: bool = False


def read_proxies(env: Mapping[str, str]) -> dict[str, Via]:
    """The proxies that HTTPS_PROXY and HTTP_PROXY name, by scheme. Raises ValueError for what is no http:// address."""
    found = {}
    for scheme in PORTS:
        text = env.get(f"{scheme}_proxy".upper()) or env.get(f"{scheme}_proxy")
        if text:
            parts = urlsplit(text)
            if parts.scheme != "http" or not parts.hostname or not parts.port:
                raise ValueError(f"{scheme.upper()}_PROXY is not written like http://127.0.0.1:3128")
            found[scheme] = Via(parts.hostname, parts.port, proxy=True)
    return found


class Connection(http.client.HTTPConnection):
    """Host name and certificate are those of the place, whatever is connected to. `left` gives the seconds that are left."""

    def __init__(self, place: Place, via: Via, trust: ssl.SSLContext, left: Callable[[], float]) -> None:
        super().__init__(place.host, place.port)
        self._place, self._via, self._trust, self._left = place, via, trust, left

    def connect(self) -> None:
        self.sock = socket.create_connection((self._via.address, self._via.port), timeout=self._left())
        if self._place.scheme == "https":
            if self._via.proxy:
                self._open_tunnel()
            self.sock = self._trust.wrap_socket(self.sock, server_hostname=self._place.host)
        self.patience(self._left())

    def ask(self, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """What the place answers. Raises Refused or FetchFailed where the proxy answers itself, OSError or HTTPException."""
        whole = self._via.proxy and self._place.scheme == "http"
        self.request("GET", str(self._place) if whole else self._place.path, headers=headers)
        response = self.getresponse()
        if whole and _MARK in response.headers:
            raise _refusal(response)
        return response

    def patience(self, seconds: float) -> None:
        """How long the next read may take."""
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def _open_tunnel(self) -> None:
        target = f"{self._place.host}:{self._place.port}"
        self.sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        # The place says nothing before TLS begins, so that nothing of it is read here.
        response = http.client.HTTPResponse(self.sock, method="CONNECT")
        try:
            response.begin()
            if response.status != 200:
                raise _refusal(response)
        finally:
            response.close()


def _refusal(response: http.client.HTTPResponse) -> Refused | FetchFailed:
    said = response.reason.removeprefix(_SPEAKER)
    return Refused(said) if response.status == 403 else FetchFailed(said)
