"""The file of the services' lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.egress.allow import Entry
from cli.egress.lists import WrongLists, parse

GOOD = {"scheme": "https", "host": "docs.python.org", "port": 443, "below": False, "private": False}


def file(*entries: Any, name: str = "web-fetch") -> bytes:
    return json.dumps({"services": {name: list(entries)}}).encode()


def test_entries_of_services() -> None:
    lists = parse(
        file(GOOD, GOOD | {"scheme": "http", "host": "B.Example.", "port": 8000, "below": True, "private": True})
    )
    assert lists == {
        "web-fetch": (
            Entry("https", "docs.python.org", 443),
            Entry("http", "b.example", 8000, below=True, private=True),
        )
    }
    assert parse(b'{"services": {}}') == {}
    assert parse(file()) == {"web-fetch": ()}


def test_addresses() -> None:
    lists = parse(file(GOOD | {"host": "127.0.0.1"}, GOOD | {"host": "0:0::1"}))
    assert [entry.host for entry in lists["web-fetch"]] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    "change",
    [
        {"scheme": "ftp"},
        {"port": 0},
        {"port": 65536},
        {"port": "443"},
        {"port": True},
        {"port": 443.0},
        {"below": 1},
        {"private": None},
        {"host": ""},
        {"host": "127.1"},
        {"host": "*.org"},
        {"host": "a.org/x"},
        {"host": None},
        {"host": "1.2.3.4", "below": True},
        {"more": 1},
    ],
)
def test_an_entry_that_is_wrong_makes_the_file_wrong(change: dict[str, Any]) -> None:
    with pytest.raises(WrongLists):
        parse(file(GOOD, GOOD | change))


@pytest.mark.parametrize("port", [1, 65535])
def test_the_ports_there_are(port: int) -> None:
    assert parse(file(GOOD | {"port": port}))["web-fetch"][0].port == port


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "1a", "a" * 64])
def test_a_name_that_is_none_of_a_folder_is_refused(name: str) -> None:
    with pytest.raises(WrongLists, match="no name of a service"):
        parse(file(name=name))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"services": []}',
        b'{"services": {"a": 1}}',
        b'{"services": {"a": [1]}}',
        b"\xff",
    ],
)
def test_what_is_no_such_file(data: bytes) -> None:
    with pytest.raises(WrongLists):
        parse(data)
