"""The list of hosts that may be fetched from, and addresses (URLs) checked against it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

PORTS = {"https": 443, "http": 80}
MAX_URL = 2000
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_ENTRY = re.compile(r"(?:(https?)://)?(\*\.)?([a-z0-9.-]+)(?::(\d{1,5}))?")
_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\\]")


class Refused(Exception):
    """An address that is not fetched from; the text says why, for whoever asked."""


@dataclass(frozen=True)
class Place:
    """Where a URL leads: `path` is what is asked of the server, with its query."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"


@dataclass(frozen=True)
class Entry:
    """One entry of the list; `below` lets every host below `host` through, and `host` itself not."""

    scheme: str
    host: str
    port: int
    below: bool

    def covers(self, place: Place) -> bool:
        named = place.host.endswith("." + self.host) if self.below else place.host == self.host
        return named and (place.scheme, place.port) == (self.scheme, self.port)


@dataclass(frozen=True)
class Allowed:
    """The list."""

    entries: tuple[Entry, ...]

    def check(self, url: str) -> Place:
        """Where `url` leads. Raises Refused unless an entry covers it."""
        place = parse(url)
        if not any(entry.covers(place) for entry in self.entries):
            raise Refused(f"{place.scheme}://{place.host}:{place.port} is not on the list of allowed hosts: {self}")
        return place

    def __str__(self) -> str:
        return ", ".join(_written(entry) for entry in self.entries) or "there is none"


def read(text: str) -> Allowed:
    """The list in an environment variable: entries separated by spaces. Raises ValueError that names what is wrong."""
    return Allowed(tuple(_entry(word) for word in text.split()))


def parse(url: str) -> Place:
    """Takes a URL apart, strictly: what two readers could understand in two ways is refused. Raises Refused."""
    if len(url) > MAX_URL:
        raise Refused(f"the address has more than {MAX_URL} characters")
    if _UNSEEN.search(url):
        raise Refused("the address has a space, a backslash or a control character in it: encode it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("this is no valid address") from None
    if parts.scheme not in PORTS:
        raise Refused("only addresses that start with https:// or http:// can be fetched")
    if "@" in parts.netloc:
        raise Refused("an address must not hold a user name or a password")
    path = parts.path or "/"
    return Place(parts.scheme, _host(parts.hostname or ""), port or PORTS[parts.scheme], _ascii(path, parts.query))


def _host(name: str) -> str:
    """The name as DNS and certificates have it."""
    try:
        host = name.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host):
        raise Refused("the address has no valid name of a host")
    return host


def _ascii(path: str, query: str) -> str:
    safe = "/%:@!$&'()*+,;=-._~?"
    return quote(path, safe=safe) + (f"?{quote(query, safe=safe)}" if query else "")


def _entry(word: str) -> Entry:
    match = _ENTRY.fullmatch(word.lower())
    if match is None or not _HOST.fullmatch(match[3]) or not 0 < int(match[4] or 1) < 65536:
        raise ValueError(f'{word!r} is not written like "example.org", "*.example.org" or "https://example.org:8443"')
    scheme = match[1] or "https"
    return Entry(scheme, match[3], int(match[4] or PORTS[scheme]), bool(match[2]))


def _written(entry: Entry) -> str:
    host = f"*.{entry.host}" if entry.below else entry.host
    usual = entry.scheme == "https" and entry.port == PORTS["https"]
    return host if usual else f"{entry.scheme}://{host}:{entry.port}"
