"""Finds in plain text what the journal must not keep where contents are masked: secrets, and marks of persons.

Every pattern takes time in proportion to the text: a run of characters is tried from its start only (the lookbehinds), never
given back (`++`), or bounded in length. `++` only behind a single character: behind a group Python 3.11.2 matches too much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

MASKED = "[masked]"

_CHUNK = 16 * 1024
"""Characters that are searched at a time: while a pattern runs, no other thread of the gateway does."""

_SEAM = 1024
"""Characters before a chunk's end in which a better place to cut is looked for."""

# The first character comes before the lookbehind, because the search for one is many times faster than that for a place.
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)
_JWT = re.compile(r"eyJ(?<![\w-]eyJ)[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+")
_BEARER = re.compile(r"(?i)\b(bearer[ \t]{1,4})[A-Za-z0-9._~+/-]{16,}+=*+")
_API_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,}+|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}+|A[KS]IA[0-9A-Z]{16}(?![0-9A-Z])"
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_-]{16,}+|xox[a-z]-[A-Za-z0-9-]{10,}+"
    r"|AIza[A-Za-z0-9_-]{30,}+|hf_[A-Za-z0-9]{20,}+|ya29\.[A-Za-z0-9_-]{20,}+|npm_[A-Za-z0-9]{30,}+"
    r")"
)
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)([\\\"']{0,4}[ \t]{0,4}[:=][\\\"' \t]{0,4})[^\r\n\"'\\]++"
)
_NAMED = re.compile(
    r"(?i)(passw(?:or)?d|passphrase|secret|(?:api|access|private|secret)[_-]?key"
    r"|(?:access|auth|refresh|api|id|session|bearer)[_-]?token)"
    r"""([\\"']{0,4}[ \t]{0,4}[:=][ \t]{0,4})(?:(\\?["'])[^"'\\\r\n]++|[^\s"'\\,;&\[{(]++)"""
)
_EMAIL = re.compile(r"[\w.%+-](?<![\w.%+-]{2})[\w.%+-]*+@[\w-]++(?:\.[\w-]++)+")
_CARD = re.compile(
    r"(?a)[2-6](?<!\d\d)(?<!\d\.\d)(?:\d{12,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}|\d{3}([ -])\d{6}\2\d{5})(?!\d)"
)
_ACCOUNTS = {
    11: "NO", 12: "BE", 14: "DK FI FO GL NL SD FK", 15: "MK SI", 16: "AT BA EE KZ LT LU XK MN", 17: "CH HR LI LV",
    18: "BG BH CR DE GB GE IE ME RS VA", 19: "AE GI IL IQ TL SO OM", 20: "AD CZ ES MD PK RO SA SE SK TN VG", 21: "LY PT ST",
    22: "IS TR", 23: "BI DJ FR GR IT MC MR SM", 24: "AL AZ BY CY DO GT HU LB NI PL SV", 25: "BR EG PS QA UA",
    26: "JO KW MU YE", 27: "MT SC", 28: "LC", 29: "RU",
}  # fmt: skip
"""Characters of an IBAN behind its first four, and the countries with so many (SWIFT's IBAN registry)."""

_IBAN = re.compile(
    r"(?a)[A-Z](?<!\w\w)[A-Z]\d\d(?:"
    + "|".join(
        rf"(?<=(?:{countries.replace(' ', '|')})\d\d)(?: ?[A-Z0-9]){{{size}}}" for size, countries in _ACCOUNTS.items()
    )
    + ")(?![A-Za-z0-9])"
)
_PHONE = re.compile(r"(?a)\+(?<![\w+]\+)\d(?:[ ()./-]{0,2}\d){7,14}(?!\d)")


def mask(text: str) -> str:
    """`text` with "[masked]" or "[masked:email]" and the like in place of each finding. The same text when there is none."""
    if "PRIVATE KEY-----" in text:
        text = _PEM.sub("[masked:private-key]", text)
    if len(text) <= _CHUNK:
        return _mask(text)
    return "".join(map(_mask, _chunks(text)))


def is_card(digits: str) -> bool:
    """Whether this is the number of a payment card: its length, its first digit and its check digit are."""
    if not 13 <= len(digits) <= 19 or digits[0] not in "23456":
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def _mask(text: str) -> str:
    lower = text.lower()
    for hints, pattern, replacement in _SEARCHES:
        for hint in hints:
            if hint in lower:
                text = pattern.sub(replacement, text)
                break
    return text


def _chunks(text: str) -> Iterator[str]:
    """`text` in pieces, cut at the end of a line where there is one nearby, else between words that are no numbers."""
    start = 0
    while len(text) - start > _CHUNK:
        end = start + _CHUNK
        seam = text.rfind("\n", end - _SEAM, end)
        if seam < 0:
            seam = max((match.start() for match in _GAP.finditer(text, end - _SEAM, end)), default=end - 1)
        yield text[start : seam + 1]
        start = seam + 1
    yield text[start:]


_GAP = re.compile(r"(?<=[^\W\d_]{3})(?<![Bb]earer)(?<!BEARER)[.,;]? (?=[^\W\d_]{3})")


def _card(match: re.Match[str]) -> str:
    return "[masked:card]" if is_card(re.sub("[ -]", "", match[0])) else match[0]


def _iban(match: re.Match[str]) -> str:
    account = match[0].replace(" ", "")
    check = int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97
    return "[masked:iban]" if check == 1 else match[0]


_DIGITS = tuple("0123456789")
_KEY_STARTS = (
    *("sk-", "sk_", "rk_", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox"),
    *("aiza", "hf_", "ya29.", "npm_"),
)

_Replacement = str | Callable[[re.Match[str]], str]

_SEARCHES: tuple[tuple[tuple[str, ...], re.Pattern[str], _Replacement], ...] = (
    (("eyj",), _JWT, "[masked:jwt]"),
    (("bearer",), _BEARER, r"\1[masked:bearer]"),
    (_KEY_STARTS, _API_KEY, "[masked:api-key]"),
    (("authorization", "cookie"), _HEADER, r"\1\2[masked]"),
    (("passw", "passphrase", "secret", "key", "token"), _NAMED, r"\1\2\3[masked]"),
    (("@",), _EMAIL, "[masked:email]"),
    (("2", "3", "4", "5", "6"), _CARD, _card),
    (_DIGITS, _IBAN, _iban),
    (("+",), _PHONE, "[masked:phone]"),
)
"""What, in lower case, a text has some of where the pattern matches; the pattern; and what stands in place of a match."""
