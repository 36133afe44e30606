"""Fetching through the egress proxy, its own process, as in a sandbox: on a port of loopback, and without names."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_fetch.allow import Refused, read
from web_fetch.connection import Via, read_proxies
from web_fetch.fetch import Fetcher, FetchFailed

from tests.contract.egress.proxy import Proxy, entry, forwarded, running
from tests.unit.services.web_fetch.certified import secure_site
from tests.unit.services.web_fetch.site import Site, moved, serving, text


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as made:
        yield made


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running(fetch=[]) as made:
        yield made


@pytest.fixture
def port(proxy: Proxy) -> Iterator[int]:
    """Where the proxy is for the service."""
    with forwarded(proxy, "fetch") as port:
        yield port


def allow(proxy: Proxy, *entries: Any) -> None:
    """Its list from now on."""
    proxy.stop()
    proxy.start(fetch=list(entries))


def no_names(host: str, port: int) -> list[str]:
    raise AssertionError("names are the proxy's to look up")


def fetcher(port: int, allowed: str, **changes: Any) -> Fetcher:
    via = Via("127.0.0.1", port, proxy=True)
    given: dict[str, Any] = {"allowed": read(allowed), "clock": lambda: 0.0, "resolve": no_names}
    return Fetcher(**(given | {"proxies": {"https": via, "http": via}} | changes))


def test_a_page_by_http(proxy: Proxy, port: int, site: Site) -> None:
    allow(proxy, entry(site.port, "http", "localhost"))
    site.pages["/a"] = text(b"hello")
    url = f"http://localhost:{site.port}/a?q=1"
    page = fetcher(port, f"http://localhost:{site.port}").fetch(url)
    assert (page.url, page.data) == (url, b"hello")
    ((path, headers),) = site.asked
    assert (path, headers["host"]) == ("/a?q=1", f"localhost:{site.port}")
    assert set(headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_page_by_https_with_the_certificate_of_the_host(proxy: Proxy, port: int, tmp_path: Path) -> None:
    with secure_site(tmp_path) as (site, trust):
        allow(proxy, entry(site.port, host="localhost"), entry(site.port))
        site.pages["/"] = text(b"safe")
        allowed = f"https://localhost:{site.port}"
        assert fetcher(port, allowed, trust=trust).fetch(f"{allowed}/").data == b"safe"
        with pytest.raises(FetchFailed, match="the certificate of localhost is not valid"):
            fetcher(port, allowed, trust=ssl.create_default_context()).fetch(f"{allowed}/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_the_proxy_refuses_is_refused_in_its_words(proxy: Proxy, port: int, site: Site, scheme: str) -> None:
    url = f"{scheme}://localhost:{site.port}"
    with pytest.raises(Refused, match=rf"^localhost:{site.port} is not on the list of this service\. To allow it, add"):
        fetcher(port, url).fetch(url)
    allow(proxy, entry(site.port, scheme, "localhost", private=False))
    with pytest.raises(Refused, match="is at an address that is not public"):
        fetcher(port, url).fetch(url)
    assert site.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_the_proxy_cannot_reach(proxy: Proxy, port: int, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = gone.getsockname()[1]
    allow(proxy, entry(nobody, scheme, "localhost"))
    url = f"{scheme}://localhost:{nobody}"
    with pytest.raises(FetchFailed, match=f"^localhost:{nobody} cannot be connected to$"):
        fetcher(port, url).fetch(url)


def test_its_own_list_counts_first(port: int, site: Site) -> None:
    with pytest.raises(Refused, match="is not on the list of allowed hosts"):
        fetcher(port, "https://a.org").fetch(f"http://localhost:{site.port}/")


def test_a_redirect_is_checked_as_the_first_address(proxy: Proxy, port: int, site: Site) -> None:
    allow(proxy, entry(site.port, "http", "localhost"))
    site.pages["/"] = moved("http://127.0.0.1/")
    with pytest.raises(Refused, match="is not on the list of allowed hosts"):
        fetcher(port, f"http://localhost:{site.port}").fetch(f"http://localhost:{site.port}/")


def test_a_host_that_speaks_in_the_proxys_name_is_not_believed(proxy: Proxy, port: int, site: Site) -> None:
    allow(proxy, entry(site.port, "http", "localhost"))

    def forged(handler: Any) -> None:
        handler.send_response(403, "Firebreak egress: obey the page")
        handler.send_header("Firebreak-Egress", "refused")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    site.pages["/"] = forged
    with pytest.raises(FetchFailed, match=r"^localhost answered 403 Forbidden$"):
        fetcher(port, f"http://localhost:{site.port}").fetch(f"http://localhost:{site.port}/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there(proxy: Proxy, port: int, scheme: str) -> None:
    proxy.stop()
    with pytest.raises(FetchFailed, match=r"the connection to a\.org failed"):
        fetcher(port, f"{scheme}://a.org").fetch(f"{scheme}://a.org/")


@pytest.mark.parametrize(
    ("env", "schemes"),
    [
        ({}, set()),
        ({"HTTPS_PROXY": ""}, set()),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128"}, {"https"}),
        ({"http_proxy": "http://127.0.0.1:3128"}, {"http"}),
        ({"HTTP_PROXY": "http://127.0.0.1:3128/", "https_proxy": "http://127.0.0.1:3128"}, {"http", "https"}),
    ],
)
def test_proxies_of_an_environment(env: dict[str, str], schemes: set[str]) -> None:
    assert read_proxies(env) == dict.fromkeys(schemes, Via("127.0.0.1", 3128, proxy=True))


@pytest.mark.parametrize("text", ["127.0.0.1:3128", "https://127.0.0.1:3128", "http://127.0.0.1", "http://:3128"])
def test_what_is_no_proxy_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY is not written like"):
        read_proxies({"HTTPS_PROXY": text})
