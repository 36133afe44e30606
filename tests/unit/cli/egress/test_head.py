"""Heads of requests: what is understood, what goes on, and what is refused."""

from __future__ import annotations

import pytest

from cli.egress.allow import Target
from cli.egress.answers import Answered
from cli.egress.head import Head, parse


def head(first: str, *lines: str) -> Head:
    return parse("\r\n".join([first, *lines, "", ""]).encode("latin-1"))


def onward(first: str, *lines: str) -> list[str]:
    return head(first, *lines).onward().decode("latin-1").split("\r\n")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_connect(version: str) -> None:
    found = head(
        f"CONNECT Docs.Example.ORG.:443 {version}", "Host: whatever", "Proxy-Authorization: x", "User-Agent: y"
    )
    assert (found.method, found.target, found.length) == ("CONNECT", Target("https", "docs.example.org", 443), 0)


@pytest.mark.parametrize(
    ("asked", "target", "path"),
    [
        ("http://a.org", Target("http", "a.org", 80), "/"),
        ("HTTP://A.org.:80/x?y=/z", Target("http", "a.org", 80), "/x?y=/z"),
        ("http://a.org?q", Target("http", "a.org", 80), "/?q"),
        ("http://127.0.0.1:8000/v1", Target("http", "127.0.0.1", 8000), "/v1"),
        ("http://[::1]:8000/", Target("http", "::1", 8000), "/"),
    ],
)
def test_a_request_with_a_whole_address(asked: str, target: Target, path: str) -> None:
    found = head(f"GET {asked} HTTP/1.1")
    assert (found.target, found.path) == (target, path)


def test_it_goes_on_with_the_targets_host_and_for_one_request() -> None:
    assert onward(
        "GET http://a.org:8080/x HTTP/1.1",
        "Host: evil.org",
        "Accept: */*",
        "Connection: keep-alive, X-Mine",
        "X-Mine: 1",
        "Keep-Alive: 5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: secret",
        "TE: trailers",
        "Upgrade: h2c",
        "HTTP2-Settings: x",
        "Expect: 100-continue",
        "cookie:  a=b ",
    ) == [
        "GET /x HTTP/1.1",
        "Host: a.org:8080",
        "Accept: */*",
        "Expect: 100-continue",
        "cookie: a=b",
        "Connection: close",
        "",
        "",
    ]


@pytest.mark.parametrize(("asked", "host"), [("http://a.org:80/", "a.org"), ("http://[::1]/", "[::1]")])
def test_the_host_is_written_as_servers_expect_it(asked: str, host: str) -> None:
    assert onward(f"GET {asked} HTTP/1.1")[1] == f"Host: {host}"


def test_the_version_is_the_clients_so_that_it_understands_the_answer() -> None:
    assert onward("GET http://a.org/ HTTP/1.0")[0] == "GET / HTTP/1.0"


@pytest.mark.parametrize(
    ("first", "lines", "length", "said"),
    [
        ("GET http://a.org/ HTTP/1.1", [], 0, []),
        ("POST http://a.org/ HTTP/1.1", [], 0, ["Content-Length: 0"]),
        ("POST http://a.org/ HTTP/1.1", ["content-length: 007"], 7, ["Content-Length: 7"]),
        (
            "PUT http://a.org/ HTTP/1.1",
            ["Content-Length: " + "1" * 15],
            111111111111111,
            ["Content-Length: 111111111111111"],
        ),
        ("DELETE http://a.org/ HTTP/1.1", ["Content-Length: 3"], 3, ["Content-Length: 3"]),
        ("POST http://a.org/ HTTP/1.1", ["Transfer-Encoding: Chunked"], None, ["Transfer-Encoding: chunked"]),
    ],
)
def test_the_body_is_described_by_what_was_understood(
    first: str, lines: list[str], length: int | None, said: list[str]
) -> None:
    assert head(first, *lines).length == length
    assert [line for line in onward(first, *lines) if line.startswith(("Content", "Transfer"))] == said


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 1", "Transfer-Encoding: chunked"],
        ["Content-Length: 1", "Content-Length: 1"],
        ["Content-Length: 1", "content-length: 2"],
        ["Content-Length: 1, 1"],
        ["Content-Length: +1"],
        ["Content-Length: -1"],
        ["Content-Length: 0x1"],
        ["Content-Length: 1_0"],
        ["Content-Length: \xb2"],
        ["Content-Length:"],
        ["Content-Length: " + "1" * 16],
        ["Content-Length : 1"],
        ["Content_Length: 1"],
        ["transfer_encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: \x0bchunked"],
        ["Transfer-Encoding:\xa0chunked"],
        ["Transfer-Encoding: identity"],
        ["Host: a.org", "Host: a.org"],
        ["Connection: content-length", "Content-Length: 1"],
        ["Connection: close, Transfer-Encoding", "Transfer-Encoding: chunked"],
        ["Connection: host"],
        ["Accept: x", " folded"],
        ["Accept: x", "\tfolded"],
        [" Accept: x"],
        ["no colon"],
        [": no name"],
        ["a b: x"],
        ["Accept: x\nTransfer-Encoding: chunked"],
        ["Accept: x\rTransfer-Encoding: chunked"],
        ["Accept: \x00"],
        ["Accept: \x7f"],
    ],
)
def test_what_two_readers_could_frame_differently_is_refused(lines: list[str]) -> None:
    with pytest.raises(Answered) as caught:
        head("POST http://a.org/ HTTP/1.1", *lines)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "first",
    [
        "",
        "GET",
        "GET http://a.org/",
        "GET  http://a.org/ HTTP/1.1",
        "GET http://a.org/ HTTP/1.1 ",
        " GET http://a.org/ HTTP/1.1",
        "get http://a.org/ HTTP/1.1",
        "GET http://a.org/ HTTP/2.0",
        "GET http://a.org/ HTTP/1.2",
        "GET http://a.org/ http/1.1",
        "GET http://a.org/ x HTTP/1.1",
        "GET http://a.org/\t HTTP/1.1",
        "GET / HTTP/1.1",
        "GET a.org HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
        "GET https://a.org/ HTTP/1.1",
        "GET ftp://a.org/ HTTP/1.1",
        "GET //a.org/ HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http:a.org/ HTTP/1.1",
        "GET http://user@a.org/ HTTP/1.1",
        "GET http://a.org@evil.org/ HTTP/1.1",
        "GET http://a.org\\@evil.org/ HTTP/1.1",
        "GET http://a.org\\.evil.org/ HTTP/1.1",
        "GET http://a.org/\\x HTTP/1.1",
        "GET http://a.org#@evil.org/ HTTP/1.1",
        "GET http://a.org/#x HTTP/1.1",
        "GET http://a.org:/ HTTP/1.1",
        "GET http://a.org:0/ HTTP/1.1",
        "GET http://a.org:080/ HTTP/1.1",
        "GET http://a.org:65536/ HTTP/1.1",
        "GET http://a.org:80:80/ HTTP/1.1",
        "GET http://a.org:+80/ HTTP/1.1",
        "GET http://a%2eorg/ HTTP/1.1",
        "GET http://b\xfccher.de/ HTTP/1.1",
        "GET http://a.org/\xfc HTTP/1.1",
        "GET http://127.1/ HTTP/1.1",
        "GET http://0x7f000001/ HTTP/1.1",
        "GET http://2130706433/ HTTP/1.1",
        "GET http://[::1%25lo]/ HTTP/1.1",
        "GET http://[::1/ HTTP/1.1",
        "GET http://::1/ HTTP/1.1",
        "GET http://a..org/ HTTP/1.1",
        "CONNECT a.org HTTP/1.1",
        "CONNECT a.org: HTTP/1.1",
        "CONNECT a.org:0 HTTP/1.1",
        "CONNECT a.org:99999 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "CONNECT https://a.org:443 HTTP/1.1",
        "CONNECT a.org:443/ HTTP/1.1",
        "CONNECT user@a.org:443 HTTP/1.1",
        "CONNECT a.org:443,b.org:443 HTTP/1.1",
    ],
)
def test_what_is_no_plain_request_is_refused(first: str) -> None:
    with pytest.raises(Answered) as caught:
        head(first)
    assert caught.value.status == 400


@pytest.mark.parametrize("line", ["Content-Length: 1", "Transfer-Encoding: chunked"])
def test_a_connect_has_no_body(line: str) -> None:
    with pytest.raises(Answered, match="a CONNECT with a body"):
        head("CONNECT a.org:443 HTTP/1.1", line)
    assert head("CONNECT a.org:443 HTTP/1.1", "Content-Length: 0").length == 0


def test_a_chunked_body_is_of_http_1_1_only() -> None:
    with pytest.raises(Answered, match="transfer coding"):
        head("POST http://a.org/ HTTP/1.0", "Transfer-Encoding: chunked")


@pytest.mark.parametrize("line", ["x: " + " " * 16_000 + "\x00", "x:" + "a " * 8_000 + "\x7f", ":" * 16_000])
def test_no_header_takes_long_to_refuse(line: str) -> None:
    """An expression that tries again and again would take minutes for these, and the test's own limit would end it."""
    for _ in range(100):
        with pytest.raises(Answered):
            head("GET http://a.org/ HTTP/1.1", line)
