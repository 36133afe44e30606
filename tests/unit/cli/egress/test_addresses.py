"""Which addresses are public, private, or never reached."""

from __future__ import annotations

import pytest

from cli.egress.addresses import Kind, kind


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "168.63.129.15",
        "2606:4700::1111",
        "2001:200::1",
        "2001:db7::1",
        "3ffe::1",
    ],
)
def test_public(address: str) -> None:
    assert kind(address) is Kind.PUBLIC


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "100.100.100.199",
        "127.0.0.1",
        "127.255.255.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "240.0.0.1",
        "255.255.255.254",
        "::1",
        "100::1",
        "fc00::1",
        "fdff::1",
        "fec0::1",
        "2001:db8::1",
        "3fff::1",
        "4000::1",
    ],
)
def test_private(address: str) -> None:
    assert kind(address) is Kind.PRIVATE


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:1.1.1.1",
        "::ffff:127.0.0.1",
        "::ffff:0:1.1.1.1",
        "::1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2002:101:101::",
        "2001:0:101:101:0:0:fefe:fefe",
    ],
)
def test_what_stands_for_an_ipv4_address_is_private_even_where_that_is_public(address: str) -> None:
    assert kind(address) is Kind.PRIVATE


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "::",
        "::2",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::ffff:0:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b::100.100.100.200",
        "64:ff9b:1::1.1.1.1",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:101:101:0:0:5601:5601",
        "localhost",
        "",
    ],
)
def test_never(address: str) -> None:
    assert kind(address) is Kind.NEVER
