"""The head of a request, read strictly: what two readers could understand in two ways is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cli.egress.allow import PORTS, Target
from cli.egress.answers import Answered
from cli.egress.hosts import bracketed, canonical

_LINE = re.compile(r"([A-Z]{1,20}) ([!-~]+) (HTTP/1\.[01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)")
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::([1-9][0-9]{0,4}))?")
_URL = re.compile(r"http://([^/?#\\]+)(/[^#\\]*|\?[^#\\]*)?", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,15}")
_FRAMING = {"host", "content-length", "transfer-encoding"}
"""What the proxy says itself, from what it understood."""
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "upgrade", "http2-settings"}

Headers = tuple[tuple[str, str], ...]
"""Names as they came, and values."""


@dataclass(frozen=True)
class Head:
    """A request. `headers` are those that are meant for the target; `length` is the body's in bytes, or None: chunked."""

    method: str
    target: Target
    path: str
    version: str
    headers: Headers
    length: int | None

    def onward(self) -> bytes:
        """The head as the target gets it: for one request, on a connection of its own."""
        port = "" if self.target.port == PORTS["http"] else f":{self.target.port}"
        lines = [f"{self.method} {self.path} {self.version}", f"Host: {bracketed(self.target.host)}{port}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.length is None:
            lines.append("Transfer-Encoding: chunked")
        elif self.length or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {self.length}")
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")


def parse(data: bytes) -> Head:
    """The head in `data`, which ends with the empty line. Raises Answered (400)."""
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise _wrong("its first line")
    method, asked, version = line.groups()
    headers = split(lines)
    length = _body(headers, version)
    if method != "CONNECT":
        target, path = _absolute(asked)
        return Head(method, target, path, version, end_to_end(headers, _FRAMING), length)
    if length != 0:
        raise _wrong("a CONNECT with a body")
    return Head(method, _place("https", asked), "", version, (), 0)


def split(lines: list[str]) -> Headers:
    """Headers line by line. Raises Answered (400): folded lines, spaces before a colon and control characters are wrong."""
    matches = [_HEADER.fullmatch(line) for line in lines]
    if None in matches:
        raise _wrong("a header")
    return tuple((match[1], match[2].strip(" \t")) for match in matches if match)


def end_to_end(headers: Headers, but: set[str]) -> Headers:
    """Those that are not for this hop only and not in `but`. Raises Answered (400) where framing is said to be for this hop."""
    named = {word.strip().lower() for value in _values(headers, "connection") for word in value.split(",")}
    if named & _FRAMING:
        raise _wrong("its Connection header")
    left_out = HOP_BY_HOP | named | but
    return tuple((n, v) for n, v in headers if n.lower() not in left_out and not n.lower().startswith("proxy-"))


def _body(headers: Headers, version: str) -> int | None:
    """How long the body is, None where it is chunked."""
    # Some servers take an underscore for a dash.
    if any("_" in name and name.lower().replace("_", "-") in _FRAMING for name, _ in headers):
        raise _wrong("a header")
    lengths, codings = _values(headers, "content-length"), _values(headers, "transfer-encoding")
    if len(lengths) + len(codings) > 1 or len(_values(headers, "host")) > 1:
        raise _wrong("more than one length, coding or host")
    if codings:
        if codings[0].lower() != "chunked" or version != "HTTP/1.1":
            raise _wrong("its transfer coding")
        return None
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise _wrong("its length")
    return int(lengths[0]) if lengths else 0


def _values(headers: Headers, name: str) -> list[str]:
    return [value for found, value in headers if found.lower() == name]


def _absolute(asked: str) -> tuple[Target, str]:
    url = _URL.fullmatch(asked)
    if url is None:
        raise Answered(400, "the request names no http:// address", "https goes by CONNECT")
    path = url[2] or "/"
    return _place("http", url[1]), path if path.startswith("/") else f"/{path}"


def _place(scheme: str, text: str) -> Target:
    match = _PLACE.fullmatch(text)
    if match is None or (match[2] is None and scheme == "https"):
        raise _wrong("its host and port")
    port = int(match[2] or PORTS[scheme])
    try:
        host = canonical(match[1])
    except ValueError:
        raise _wrong("its host and port") from None
    if port > 65535:
        raise _wrong("its host and port")
    return Target(scheme, host, port)


def _wrong(what: str) -> Answered:
    return Answered(400, f"the request is not well-formed: {what}")
