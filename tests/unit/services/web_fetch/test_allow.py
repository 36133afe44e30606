"""The list of allowed hosts, addresses that two readers could read in two ways, and which addresses are public."""

from __future__ import annotations

import pytest
from web_fetch.addresses import is_public
from web_fetch.allow import MAX_URL, Refused, parse, read

ALLOWED = read("docs.example.org *.wiki.org https://odd.org:8443 http://plain.org")


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("https://docs.example.org", "https://docs.example.org/"),
        ("https://DOCS.example.ORG./a?b=c#d", "https://docs.example.org/a?b=c"),
        ("https://docs.example.org:443/", "https://docs.example.org/"),
        ("https://en.wiki.org/", "https://en.wiki.org/"),
        ("https://a.b.wiki.org/", "https://a.b.wiki.org/"),
        ("https://odd.org:8443/x", "https://odd.org:8443/x"),
        ("http://plain.org/", "http://plain.org/"),
        ("https://docs.example.org/ü%20x", "https://docs.example.org/%C3%BC%20x"),
    ],
)
def test_what_the_list_covers(url: str, where: str) -> None:
    assert str(ALLOWED.check(url)) == where


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "https://xdocs.example.org/",
        "https://docs.example.org.evil.org/",
        "https://wiki.org/",
        "https://evilwiki.org/",
        "http://docs.example.org/",
        "https://docs.example.org:8443/",
        "https://odd.org/",
        "https://plain.org/",
        "http://plain.org:8080/",
    ],
)
def test_what_it_does_not_cover_is_refused_and_the_list_is_told(url: str) -> None:
    with pytest.raises(
        Refused, match=r"docs\.example\.org, \*\.wiki\.org, https://odd\.org:8443, http://plain\.org:80$"
    ):
        ALLOWED.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "docs.example.org",
        "//docs.example.org/",
        "file:///etc/passwd",
        "gopher://docs.example.org/",
        "data:text/plain,hello",
        "https://user@docs.example.org/",
        "https://docs.example.org@evil.org/",
        "https://docs.example.org\\@evil.org/",
        "https://docs.example.org/ x",
        "https://docs.example.org/\r\nHost: evil.org",
        "https://docs.example.org:99999/",
        "https://docs.example.org:x/",
        "https://[::1]/",
        "https://[::1/",
        "https://-bad-.org/",
        "https:///nowhere",
        "https://docs.example.org/" + "x" * MAX_URL,
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        parse(url)


def test_an_address_may_be_as_long_as_the_limit() -> None:
    url = "https://docs.example.org/"
    assert parse(url + "x" * (MAX_URL - len(url))).host == "docs.example.org"
    with pytest.raises(Refused, match="more than 2000"):
        parse(url + "x" * (MAX_URL - len(url) + 1))


def test_an_empty_list_lets_nothing_through() -> None:
    with pytest.raises(Refused, match="there is none"):
        read("").check("https://docs.example.org/")


@pytest.mark.parametrize(
    "entry", ["*", "*.", "https://", "a b/c", "ftp://a.org", "a.org:0", "a.org:65536", "a.org/path", "-a.org"]
)
def test_an_entry_that_is_wrong_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not written like"):
        read(entry)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.1", "2606:2800:220:1::1", "::ffff:1.1.1.1"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "localhost",
        "",
    ],
)
def test_everything_else(address: str) -> None:
    assert not is_public(address)
