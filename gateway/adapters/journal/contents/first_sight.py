"""Whether a message holds nothing to mask, seen from its bytes: for a fraction of what it costs to take it apart.

Everything that masking looks for contains one of the hints below, whatever stands around it; a message with a hint may still be
clean. A length above 127 makes a byte that is not ASCII, so that only short messages are judged here.
"""

from __future__ import annotations

import re

_ALPHANUMERIC = b"0123456789abcdefghijklmnopqrstuvwxyz"
_LOWER = bytes(range(256)).lower()
_SEPARATORS = bytes(set(range(256)) - set(_ALPHANUMERIC) - set(_ALPHANUMERIC.upper()))
_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789"))

_NAMES = (
    b"passw", b"passphrase", b"secret", b"key", b"credential", b"auth", b"token", b"cookie", b"pwd", b"jwt", b"bearer",
    b"otp", b"pin", b"cvv", b"cvc", b"iban", b"ssn",
)  # fmt: skip
"""One of these is in every name whose value is masked, in lower case and without separators."""

_STARTS = (
    b"eyj", b"sk", b"rk", b"akia", b"asia", b"ghp", b"gho", b"ghu", b"ghs", b"ghr", b"githubpat", b"glpat", b"xox", b"aiza",
    b"hf", b"ya29", b"npm", b"begin",
)  # fmt: skip
"""With one of these begins every secret that is known by its form, in lower case and without separators."""

_HINTS = re.compile(b"|".join((*_NAMES, *_STARTS)))

_SIGNS = re.compile(rb"\\|@[A-Za-z0-9_-]|\+[0-9]|[A-Z]{2}[0-9]{2}")
"""In every e-mail address and telephone number, where JSON may hide a character, and at the start of every IBAN."""

_CARD_DIGITS = 13
"""The fewest digits of a payment card's number."""


def is_clean(data: bytes) -> bool:
    """Whether these bytes hold nothing that masking would change; False when that cannot be told without a closer look."""
    if not data.isascii() or _SIGNS.search(data) or len(data.translate(None, _NOT_DIGITS)) >= _CARD_DIGITS:
        return False
    return _HINTS.search(data.translate(_LOWER, _SEPARATORS)) is None
