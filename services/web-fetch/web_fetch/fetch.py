"""Fetches one page, following redirects: each step is checked as the first one was, and everything is bounded."""

from __future__ import annotations

import http.client
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from .addresses import Resolve, is_public, resolve
from .allow import Allowed, Place, Refused
from .connection import Connection, FetchFailed, Via

REDIRECTS = 5
BYTES = 2 * 1024**2
"""Bytes of a page, on the wire and once more after it is unpacked."""
SECONDS = 15.0
TYPES = frozenset(
    """
    text/html application/xhtml+xml text/plain text/markdown text/csv text/xml application/xml application/json
    application/rss+xml application/atom+xml application/ld+json
    """.split()  # noqa: SIM905 - a list of words reads better
)
_MOVED = {301, 302, 303, 307, 308}
_PIECE = 64 * 1024
_HEADERS = {
    "User-Agent": "firebreak-web-fetch/1.0",
    "Accept": "text/html, text/plain, application/json;q=0.9, */*;q=0.1",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}


@dataclass(frozen=True)
class Page:
    """A page as it came: `url` is where it was at last, `charset` what the server says, or ""."""

    url: str
    media_type: str
    charset: str
    data: bytes


@dataclass(frozen=True)
class Fetcher:
    """Fetches from allowed hosts at public addresses. `trust` are the authorities for https; `clock` is in seconds.

    `proxies` are by scheme. Where there is one it is asked instead of looking names up: in a sandbox nothing else is reached.
    """

    allowed: Allowed
    clock: Callable[[], float]
    resolve: Resolve = resolve
    is_public: Callable[[str], bool] = is_public
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    proxies: Mapping[str, Via] = field(default_factory=dict)
    bytes: int = BYTES
    seconds: float = SECONDS

    def fetch(self, url: str) -> Page:
        """The page at `url`, or where it redirects to. Raises Refused or FetchFailed."""
        until = self.clock() + self.seconds
        for _ in range(REDIRECTS + 1):
            place = self.allowed.check(url)
            found = self._ask(place, until)
            if isinstance(found, Page):
                return found
            url = urljoin(str(place), found)
        raise FetchFailed(f"the page redirects more than {REDIRECTS} times")

    def _ask(self, place: Place, until: float) -> Page | str:
        """The page, or the address that the server redirects to."""
        via = self.proxies.get(place.scheme) or Via(self._address(place), place.port)
        connection = Connection(place, via, self.trust, lambda: self._left(until))
        try:
            return self._read(place, connection.ask(_HEADERS), connection, until)
        except TimeoutError:
            raise self._late() from None
        except ssl.SSLCertVerificationError:
            raise FetchFailed(f"the certificate of {place.host} is not valid") from None
        except (OSError, http.client.HTTPException):
            raise FetchFailed(f"the connection to {place.host} failed") from None
        finally:
            connection.close()

    def _address(self, place: Place) -> str:
        """The address to connect to. It is looked up once, so that what was checked is what is reached."""
        try:
            addresses = self.resolve(place.host, place.port)
        except OSError:
            addresses = []
        if not addresses:
            raise FetchFailed(f"the name {place.host} is not known")
        if not all(map(self.is_public, addresses)):
            raise Refused(f"{place.host} is at an address that is not public")
        return addresses[0]

    def _read(
        self, place: Place, response: http.client.HTTPResponse, connection: Connection, until: float
    ) -> Page | str:
        location = response.getheader("Location")
        if response.status in _MOVED and location:
            return location
        if response.status != 200:
            raise FetchFailed(
                f"{place.host} answered {response.status} {http.client.responses.get(response.status, '')}"
            )
        media_type = response.headers.get_content_type()
        if media_type not in TYPES:
            raise FetchFailed(f"this is {media_type}; only text, HTML, JSON and XML are read")
        data = self._unpacked(response, self._body(response, connection, until))
        return Page(str(place), media_type, response.headers.get_content_charset() or "", data)

    def _body(self, response: http.client.HTTPResponse, connection: Connection, until: float) -> bytes:
        body = bytearray()
        while True:
            connection.patience(self._left(until))
            piece = response.read1(_PIECE)
            if not piece:
                return bytes(body)
            body += piece
            if len(body) > self.bytes:
                raise self._large()

    def _unpacked(self, response: http.client.HTTPResponse, body: bytes) -> bytes:
        coding = (response.getheader("Content-Encoding") or "identity").lower()
        if coding == "identity":
            return body
        if coding not in ("gzip", "x-gzip"):
            raise FetchFailed(f"the page is packed as {coding}, which was not asked for")
        # Never more than is allowed is unpacked, whatever the rest would grow to.
        unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            data = unpack.decompress(body, self.bytes + 1)
        except zlib.error:
            raise FetchFailed("the page is damaged: it cannot be unpacked") from None
        if len(data) > self.bytes:
            raise self._large()
        return data

    def _left(self, until: float) -> float:
        left = until - self.clock()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> FetchFailed:
        return FetchFailed(f"the page did not come within {self.seconds:g} seconds")

    def _large(self) -> FetchFailed:
        return FetchFailed(f"the page is larger than {self.bytes} bytes")
