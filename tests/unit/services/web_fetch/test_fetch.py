"""Fetching over real sockets: redirects, sizes, types, time, names and certificates. Only the resolver is a fake: it says that
every host is on loopback, and that loopback is public."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_fetch.allow import Refused, read
from web_fetch.fetch import Fetcher, FetchFailed

from tests.unit.services.web_fetch.certified import secure_site
from tests.unit.services.web_fetch.site import Site, moved, packed, serving, text


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


def fetcher(site: Site, **changes: Any) -> Fetcher:
    """Allowed: a.test and everything below b.test, on the site's port."""
    given: dict[str, Any] = {
        "allowed": read(f"http://a.test:{site.port} http://*.b.test:{site.port}"),
        "clock": lambda: 0.0,
        "resolve": lambda host, port: ["127.0.0.1"],
        "is_public": lambda address: True,
    }
    return Fetcher(**(given | changes))


def at(site: Site, path: str = "/", host: str = "a.test") -> str:
    return f"http://{host}:{site.port}{path}"


def test_a_page_is_fetched_with_nothing_of_ours_in_the_request(site: Site) -> None:
    site.pages["/hello"] = text(b"hello", "text/plain; charset=latin-1")
    page = fetcher(site).fetch(at(site, "/hello?q=1&r=%20"))
    assert (page.url, page.media_type, page.charset, page.data) == (
        at(site, "/hello?q=1&r=%20"),
        "text/plain",
        "latin-1",
        b"hello",
    )
    ((path, headers),) = site.asked
    assert path == "/hello?q=1&r=%20"
    assert headers["host"] == f"a.test:{site.port}"
    assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_no_proxy_is_used_but_one_that_the_fetcher_is_given(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.pages["/"] = text(b"direct")
    assert fetcher(site).fetch(at(site)).data == b"direct"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_an_allowed_host_is_followed(site: Site, status: int) -> None:
    site.pages["/old"] = moved(at(site, "/new", "x.b.test"), status)
    site.pages["/new"] = text(b"new")
    assert fetcher(site).fetch(at(site, "/old")).url == at(site, "/new", "x.b.test")


def test_a_relative_redirect_is_followed(site: Site) -> None:
    site.pages["/a/b"] = moved("../c")
    site.pages["/c"] = text(b"c")
    assert fetcher(site).fetch(at(site, "/a/b")).data == b"c"


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.test/",
        "http://a.test:1/",
        "https://a.test/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://b.test/",
        "file:///etc/passwd",
        "ftp://a.test/",
        "javascript:alert(1)",
        "http://a.test@evil.test/",
        "http://user:secret@a.test/",
        "//evil.test/",
        "http://0x7f000001/",
        "http://2130706433/",
    ],
)
def test_a_redirect_to_anything_else_is_refused_before_anyone_is_asked(site: Site, location: str) -> None:
    names: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        names.append(host)
        return ["127.0.0.1"]

    site.pages["/"] = moved(location)
    with pytest.raises(Refused):
        fetcher(site, resolve=resolve).fetch(at(site))
    assert names == ["a.test"]
    assert len(site.asked) == 1


def test_five_redirects_are_followed_and_no_sixth(site: Site) -> None:
    for number in range(6):
        site.pages[f"/{number}"] = moved(f"/{number + 1}")
    site.pages["/6"] = text(b"there")
    assert fetcher(site).fetch(at(site, "/1")).data == b"there"
    with pytest.raises(FetchFailed, match="more than 5 times"):
        fetcher(site).fetch(at(site, "/0"))


def test_a_host_that_resolves_to_a_private_address_is_not_connected_to(site: Site) -> None:
    with pytest.raises(Refused, match="not public"):
        fetcher(site, is_public=lambda address: False).fetch(at(site))
    assert site.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(site: Site) -> None:
    both = {
        "resolve": lambda host, port: ["127.0.0.1", "127.0.0.2"],
        "is_public": lambda address: address == "127.0.0.1",
    }
    with pytest.raises(Refused, match="not public"):
        fetcher(site, **both).fetch(at(site))


def test_a_redirect_whose_name_has_moved_to_a_private_address_is_refused(site: Site) -> None:
    """DNS rebinding: the name is public when it is first asked for, and private from then on."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    site.pages["/"] = moved("/again")
    with pytest.raises(Refused, match="not public"):
        fetcher(site, resolve=lambda *_: next(answers), is_public=lambda address: address == "127.0.0.1").fetch(
            at(site)
        )


def test_a_name_is_resolved_once_for_each_step(site: Site) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    site.pages["/"] = text(b"ok")
    fetcher(site, resolve=resolve).fetch(at(site))
    assert asked == ["a.test"]


def test_a_name_that_is_not_known_is_said_so(site: Site) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(FetchFailed, match=r"the name a\.test is not known"):
        fetcher(site, resolve=resolve).fetch(at(site))


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
def test_the_size_is_bounded(site: Site, size: int, fits: bool) -> None:
    site.pages["/"] = text(b"x" * size)
    if fits:
        assert len(fetcher(site, bytes=1000).fetch(at(site)).data) == 1000
    else:
        with pytest.raises(FetchFailed, match="larger than 1000 bytes"):
            fetcher(site, bytes=1000).fetch(at(site))


@pytest.mark.parametrize(("size", "fits"), [(100_000, True), (100_001, False)])
def test_what_a_page_unpacks_to_is_bounded(site: Site, size: int, fits: bool) -> None:
    site.pages["/"] = packed(b"x" * size)
    if fits:
        assert len(fetcher(site, bytes=100_000).fetch(at(site)).data) == size
    else:
        with pytest.raises(FetchFailed, match="larger than 100000 bytes"):
            fetcher(site, bytes=100_000).fetch(at(site))


def test_a_page_without_an_end_is_left(site: Site) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            handler.close_connection = True

    site.pages["/"] = endless
    with pytest.raises(FetchFailed, match="larger than 200000 bytes"):
        fetcher(site, bytes=200_000).fetch(at(site))


@pytest.mark.parametrize(
    "media_type", ["text/html", "application/json", "text/markdown", "application/xml", "text/csv"]
)
def test_text_is_read(site: Site, media_type: str) -> None:
    site.pages["/"] = text(b"{}", media_type)
    assert fetcher(site).fetch(at(site)).media_type == media_type


@pytest.mark.parametrize("media_type", ["application/octet-stream", "image/png", "application/pdf", "text/javascript"])
def test_anything_else_is_not(site: Site, media_type: str) -> None:
    site.pages["/"] = text(b"\x89PNG", media_type)
    with pytest.raises(FetchFailed, match=f"this is {media_type}"):
        fetcher(site).fetch(at(site))


def test_an_error_of_the_server_is_told_without_its_page(site: Site) -> None:
    with pytest.raises(FetchFailed, match=r"a\.test answered 404 Not Found$"):
        fetcher(site).fetch(at(site, "/missing"))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (text(gzip.compress(b"x" * 100)[:-20], Content_Encoding="gzip"), None),
        (text(b"no gzip", Content_Encoding="gzip"), "cannot be unpacked"),
        (text(b"x", Content_Encoding="br"), "packed as br"),
    ],
)
def test_a_damaged_page(site: Site, page: Any, said: str | None) -> None:
    site.pages["/"] = page
    if said is None:  # what there is of a page that was cut off is read
        fetcher(site).fetch(at(site))
    else:
        with pytest.raises(FetchFailed, match=said):
            fetcher(site).fetch(at(site))


def test_time_is_bounded_for_the_whole_way(site: Site) -> None:
    """Each look at the clock costs four seconds: one redirect is too much for the fifteen there are."""
    now = iter(range(0, 1000, 4))
    site.pages["/"] = moved("/next")
    site.pages["/next"] = text(b"late")
    with pytest.raises(FetchFailed, match="within 15 seconds"):
        fetcher(site, clock=lambda: float(next(now))).fetch(at(site))


def test_a_server_that_says_nothing_is_left(site: Site) -> None:
    leave = threading.Event()

    def silent(handler: Any) -> None:
        leave.wait(30)
        handler.close_connection = True

    site.pages["/"] = silent
    try:
        with pytest.raises(FetchFailed, match=r"within 0\.2 seconds"):
            fetcher(site, seconds=0.2).fetch(at(site))
    finally:
        leave.set()


def test_a_server_that_is_not_there(site: Site) -> None:
    gone = fetcher(site, allowed=read("http://a.test:1"))
    with pytest.raises(FetchFailed, match=r"the connection to a\.test failed"):
        gone.fetch("http://a.test:1/")


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Site, ssl.SSLContext]]:
    with secure_site(tmp_path) as made:
        yield made


def test_https_checks_the_certificate_against_the_name_and_not_the_address(secure: tuple[Site, ssl.SSLContext]) -> None:
    site, trust = secure
    site.pages["/"] = text(b"safe")
    allowed = read(f"https://localhost:{site.port} https://other.test:{site.port}")
    good = fetcher(site, allowed=allowed, trust=trust)
    assert good.fetch(f"https://localhost:{site.port}/").data == b"safe"
    with pytest.raises(FetchFailed, match=r"the certificate of other\.test is not valid"):
        good.fetch(f"https://other.test:{site.port}/")


def test_an_authority_that_is_not_trusted(secure: tuple[Site, ssl.SSLContext]) -> None:
    site, _ = secure
    with pytest.raises(FetchFailed, match="the certificate of localhost is not valid"):
        fetcher(site, allowed=read(f"https://localhost:{site.port}")).fetch(f"https://localhost:{site.port}/")
