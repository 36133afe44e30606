"""Arithmetic as people say it, turned into signs."""

from __future__ import annotations

import re
from functools import partial

_N = r"(-?\d+(?:\.\d+)?)"
_COUNT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen twenty"
)
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
_NUMBERS = {word: str(number) for number, word in enumerate(_COUNT.split())} | {
    word: str(number * 10) for number, word in enumerate(_TENS.split(), start=1)
}
_LIST = rf"{_N}((?:\s*,\s*|\s+and\s+|\s*,\s*and\s+){_N})+"

_SPOKEN: tuple[tuple[str, str], ...] = (
    (r"(?<=\d),(?=\d{3}(?!\d))", ""),
    (r"[£$€]\s?(?=\d)", ""),
    (r"\b\d{4}-\d{2}-\d{2}\b", " "),
    (rf"{_N}\s*(?:%|percent|per cent)\s+of\s+", r"\1 / 100 * "),
    (rf"\bsquare root of\s+{_N}", r"sqrt(\1)"),
    (r"\bsquare root of\s+\(", "sqrt("),
    (rf"\bfactorial of\s+{_N}", r"factorial(\1)"),
    (r"\b(\d+)!", r"factorial(\1)"),
    (rf"{_N}\s+squared\b", r"\1 ** 2"),
    (rf"{_N}\s+cubed\b", r"\1 ** 3"),
    (rf"\bsubtract\s+{_N}\s+from\s+{_N}", r"\2 - \1"),
    (rf"\bdifference (?:between|of)\s+{_N}\s+and\s+{_N}", r"\1 - \2"),
    (rf"\badd\s+{_N}\s+(?:and|to)\s+{_N}", r"\1 + \2"),
    (rf"\bmultiply\s+{_N}\s+(?:by|and|with)\s+{_N}", r"\1 * \2"),
    (rf"\bdivide\s+{_N}\s+by\s+{_N}", r"\1 / \2"),
    (rf"\bhalf of\s+{_N}", r"\1 / 2"),
    (rf"\b(?:twice|double)\s+{_N}", r"2 * \1"),
    (r"(?<=\d|\))\s*(?:plus)\s*(?=[\d(-])", " + "),
    (r"(?<=\d|\))\s*(?:minus)\s*(?=[\d(-])", " - "),
    (r"(?<=[\d)])\s*(?:×|·|times|multiplied by)\s*(?=[\w(-])", " * "),
    (r"(?<=[\d)])\s*x\s*(?=[\d(])", " * "),
    (r"(?<=[\d)])\s*(?:÷|divided by)\s*(?=[\w(-])", " / "),
    (r"(?<=[\d)])\s*(?:\^|to the power of|raised to(?: the power of)?)\s*(?=[\d(-])", " ** "),
    (r"(?<=[\d)])\s*(?:modulo|mod)\s*(?=[\d(])", " % "),
    (r"−", "-"),
)


def written(clause: str) -> str:
    """Spoken arithmetic as signs: "two plus 3 squared" becomes "2 + 3 ** 2"."""
    text = re.sub(rf"\b({'|'.join(_NUMBERS)})\b", lambda found: _NUMBERS[found[0].lower()], clause, flags=re.IGNORECASE)
    for name, sign, divided in (("sum", "+", False), ("product", "*", False), ("average|mean", "+", True)):
        text = re.sub(rf"\b(?:{name}) of\s+(?P<list>{_LIST})", partial(_list, sign, divided), text, flags=re.IGNORECASE)
    for spoken, sign in _SPOKEN:
        text = re.sub(spoken, sign, text, flags=re.IGNORECASE)
    return text


def _list(sign: str, divided: bool, found: re.Match[str]) -> str:
    numbers = re.findall(r"-?\d+(?:\.\d+)?", found["list"])
    joined = f" {sign} ".join(numbers)
    return f"({joined}) / {len(numbers)}" if divided else joined
