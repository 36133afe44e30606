"""Names of hosts: one form for each, and none for what could be read in two ways."""

from __future__ import annotations

import pytest

from cli.egress.hosts import LONGEST, bracketed, canonical, is_address

LABEL = "a" * 63
NAME = ".".join([LABEL, LABEL, LABEL, "a" * 61])


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.Org", "example.org"),
        ("example.org.", "example.org"),
        ("localhost", "localhost"),
        ("a-b.0.example", "a-b.0.example"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("BÜCHER.de.", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("1.2.3.4", "1.2.3.4"),
        ("１.2.3.4", "1.2.3.4"),
        ("[::1]", "::1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        (NAME, NAME),
        (NAME + ".", NAME),
    ],
)
def test_one_form(text: str, host: str) -> None:
    assert canonical(text) == host
    assert canonical(bracketed(host)) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..b",
        "example.org..",
        ".example.org",
        "-a.org",
        "a-.org",
        "a_b.org",
        "a b.org",
        "a.org\n",
        "a.org\x00",
        "a@b.org",
        "a.org:80",
        "*.org",
        "faß.de",
        "FAẞ.de",
        "βόλος.com",
        "a\u200db.org",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "127.0.0.0x1",
        "1.2.3.04",
        "1.2.3.256",
        "1.2.3.4.5",
        "example.1",
        "::1",
        "[::1",
        "::1]",
        "[fe80::1%eth0]",
        "[1.2.3.4]",
        "[]",
        "[::g]",
        f"{LABEL}a.org",
        NAME + "a",
        "a" * 100_000,
        "ü" * 100_000,
    ],
)
def test_no_form(text: str) -> None:
    with pytest.raises(ValueError):
        canonical(text)


def test_the_longest_name() -> None:
    assert len(NAME) == LONGEST


@pytest.mark.parametrize(("host", "address"), [("1.2.3.4", True), ("::1", True), ("a.b", False), ("4a", False)])
def test_addresses_are_told_from_names(host: str, address: bool) -> None:
    assert is_address(host) is address
