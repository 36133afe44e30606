"""What is found in plain text, and what is left alone."""

from __future__ import annotations

import pytest

from gateway.adapters.journal.contents.marks import mask

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----"

FOUND = [
    (f"token {JWT}.", "token [masked:jwt]."),
    (f"Authorization: Bearer {JWT}", "Authorization: [masked]"),
    ("send Bearer abcdefgh12345678== now", "send Bearer [masked:bearer] now"),
    ("Cookie: a=b; c=d\r\nHost: x", "Cookie: [masked]\r\nHost: x"),
    ('{"Authorization": "Basic dXNlcjpwYXNz", "a": 1}', '{"Authorization": "[masked]", "a": 1}'),
    (f"a\n{PEM}\nb", "a\n[masked:private-key]\nb"),
    ("key sk-proj-abcdefghijklmnop1234 end", "key [masked:api-key] end"),
    ("AKIAIOSFODNN7EXAMPLE", "[masked:api-key]"),
    ("ghp_" + "a1" * 18, "[masked:api-key]"),
    ("xoxb-1234567890-abc", "[masked:api-key]"),
    ("password=hunter2&user=ada", "password=[masked]&user=ada"),
    ('{"db_password": "two words", "n": 1}', '{"db_password": "[masked]", "n": 1}'),
    (r"{\"api_key\": \"abc\"}", r"{\"api_key\": \"[masked]\"}"),
    ("AWS_SECRET_ACCESS_KEY: abc/def", "AWS_SECRET_ACCESS_KEY: [masked]"),
    ("write to ada.l+x@mail.example.org.", "write to [masked:email]."),
    ("josé@exämple.org", "[masked:email]"),
    ("pay 4111 1111 1111 1111!", "pay [masked:card]!"),
    ("4111-1111-1111-1111", "[masked:card]"),
    ("5500005555555559,378282246310005", "[masked:card],[masked:card]"),
    ("3782 822463 10005", "[masked:card]"),
    ("to DE89370400440532013000.", "to [masked:iban]."),
    ("to GB29 NWBK 6016 1331 9268 19 NOW", "to [masked:iban] NOW"),
    ("DE89370400440532013000 GB29NWBK60161331926819", "[masked:iban] [masked:iban]"),
    ("NO9386011117947", "[masked:iban]"),
    ("LC14BOSL123456789012345678901234", "[masked:iban]"),
    ("call +49 (30) 1234-5678.", "call [masked:phone]."),
    ("+14155552671", "[masked:phone]"),
]


@pytest.mark.parametrize(("text", "expected"), FOUND)
def test_secrets_and_marks_of_persons_are_found(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The price is 1234567890123 and pi is 3.141592653589793.",
        "0.4111111111111111",
        "4111 1111 1111 1112",
        "41111111111111111111111",
        "DE89370400440532013001",
        "DE8937040044053201300, ZZ89370400440532013000",
        "a" * 40 + "DE89370400440532013000",
        "3+12345678 and + 12345678 and +1234567",
        "max_tokens: 100, input_tokens=5",
        "the secret of bearer certificates",
        "task-force, sk-learn, risk-free",
        "user@localhost and @ada and a @ b.c",
        "eyJ is how they begin, eyJabc.def too",
        "2026-11-22T12:45:36Z 7f3c9b52-1a2b-4c3d-8e4f-5a6b7c8d9e0f",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_neither_stays_as_it_is(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(("text", "expected"), FOUND)
@pytest.mark.parametrize("before", [16_000, 16_384, 16_390, 40_000])
def test_they_are_found_in_a_long_text_wherever_they_stand(text: str, expected: str, before: int) -> None:
    filler = ("word " * before)[: before - 1] + "\n"
    assert mask(f"{filler}{text}\n{filler}") == f"{filler}{expected}\n{filler}"


@pytest.mark.parametrize("shift", range(0, 60, 3))
def test_a_long_line_is_not_cut_where_something_stands(shift: int) -> None:
    words = "some more words " * 2000
    text = f"{words[: 16_384 - 60 + shift]} ada@example.org, 4111 1111 1111 1111 and Bearer abcdefghijklmnop {words}"
    masked = mask(text)
    assert masked.endswith(f" [masked:email], [masked:card] and Bearer [masked:bearer] {words}")


def test_a_key_that_was_cut_off_is_found() -> None:
    assert mask("a -----BEGIN PRIVATE KEY-----\ncut off") == "a [masked:private-key]"


def test_a_long_text_without_a_gap_is_searched_all_the_same() -> None:
    text = "x" * 100_000 + " ada@example.org"
    assert mask(text) == "x" * 100_000 + " [masked:email]"
