"""Which words of a question carry its matter."""

from __future__ import annotations

import re

_WORD = re.compile(r"[\w'’-]+|\0\d+\0")
_EMPTY_WORDS = """
a about also am an and another any are as at be been being but by calculate can compute could did do does else equal
equals evaluate execute find for from get give had has have here hi how i if in into is it its just let let's lets like look
make makes many may me might more much must my need now of off ok on one or our out over own per please put really result run
say says search see shall she should show so some such tell than that the their them then there these they this those through
to too total try up us use using value want was we were what what's when where which who whom whose why will with work worth
would you your exactly following code snippet program answer question
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


def matter(text: str) -> list[str]:
    """The words that say what a text is about, in lower case; placeholders of code count as such words."""
    return [word for word in (found.lower() for found in _WORD.findall(text)) if word not in _EMPTY]
