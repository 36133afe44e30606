"""Entries, what they cover, and what is said about what they do not."""

from __future__ import annotations

import pytest

from cli.egress.allow import Entry, Target, check, permit
from cli.egress.answers import Answered

DOCS = Entry("https", "docs.example.org", 443)
WIKI = Entry("https", "wiki.org", 443, below=True)
ODD = Entry("https", "odd.org", 8443)
PLAIN = Entry("http", "plain.org", 80)
LOCAL = Entry("http", "127.0.0.1", 8000, private=True)
ENTRIES = (DOCS, WIKI, ODD, PLAIN, LOCAL)


@pytest.mark.parametrize(
    ("target", "entry"),
    [
        (Target("https", "docs.example.org", 443), DOCS),
        (Target("https", "en.wiki.org", 443), WIKI),
        (Target("https", "a.b.wiki.org", 443), WIKI),
        (Target("https", "odd.org", 8443), ODD),
        (Target("http", "plain.org", 80), PLAIN),
        (Target("http", "127.0.0.1", 8000), LOCAL),
    ],
)
def test_what_the_list_covers(target: Target, entry: Entry) -> None:
    assert permit(ENTRIES, target) is entry


@pytest.mark.parametrize(
    ("target", "written"),
    [
        (Target("https", "example.org", 443), "example.org"),
        (Target("https", "xdocs.example.org", 443), "xdocs.example.org"),
        (Target("https", "x.docs.example.org", 443), "x.docs.example.org"),
        (Target("https", "wiki.org", 443), "wiki.org"),
        (Target("https", "evilwiki.org", 443), "evilwiki.org"),
        (Target("https", "docs.example.org", 80), "https://docs.example.org:80"),
        (Target("https", "odd.org", 443), "odd.org"),
        (Target("http", "docs.example.org", 443), "http://docs.example.org:443"),
        (Target("https", "plain.org", 80), "https://plain.org:80"),
        (Target("http", "plain.org", 8080), "http://plain.org:8080"),
        (Target("http", "127.0.0.1", 8001), "http://127.0.0.1:8001"),
    ],
)
def test_what_it_does_not_cover_is_refused_with_the_entry_that_would(target: Target, written: str) -> None:
    with pytest.raises(Answered, match="is not on the list of this service") as caught:
        permit(ENTRIES, target)
    assert caught.value.status == 403
    assert caught.value.advice == f'To allow it, add to `egress:` in its service.yaml: "{written}"'


def test_addresses_are_below_nothing() -> None:
    entry = Entry("https", "1", 443, below=True)
    with pytest.raises(Answered):
        permit([entry], Target("https", "10.0.0.1", 443))


def test_an_ipv6_address_cannot_be_listed_so_its_name_is_asked_for() -> None:
    with pytest.raises(Answered, match=r"\[::1\]:443 is not on the list") as caught:
        permit(ENTRIES, Target("https", "::1", 443))
    assert caught.value.advice.startswith("Ask for it by its name")


def test_the_widest_of_several_entries_counts() -> None:
    private = Entry("https", "docs.example.org", 443, private=True)
    target = Target("https", "docs.example.org", 443)
    assert permit([DOCS, private], target) is permit([private, DOCS], target) is private


PUBLIC, PRIVATE, NEVER = "1.1.1.1", "10.0.0.1", "169.254.169.254"
TARGET = Target("https", "docs.example.org", 8443)


@pytest.mark.parametrize("private", [False, True])
def test_public_addresses_are_fine(private: bool) -> None:
    check([PUBLIC, "2606:4700::1111"], Entry("https", "docs.example.org", 8443, private=private), TARGET)


def test_one_private_address_is_enough_to_refuse_and_the_way_out_is_told() -> None:
    with pytest.raises(Answered, match="is at an address that is not public") as caught:
        check([PUBLIC, PRIVATE], Entry("https", "docs.example.org", 8443), TARGET)
    assert '{to: "https://docs.example.org:8443", private: true}' in caught.value.advice
    check([PUBLIC, PRIVATE], Entry("https", "docs.example.org", 8443, private=True), TARGET)


def test_some_are_never_reached() -> None:
    with pytest.raises(Answered, match="never reached") as caught:
        check([PUBLIC, NEVER], Entry("https", "docs.example.org", 8443, private=True), TARGET)
    assert "private: true" not in caught.value.advice
