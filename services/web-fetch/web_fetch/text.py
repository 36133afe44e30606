"""A page as a model reads it: HTML becomes Markdown, everything else stays as it is."""

from __future__ import annotations

import codecs
import re

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

from .fetch import FetchFailed, Page

_HTML = {"text/html", "application/xhtml+xml"}
_NOISE = ("script", "style", "noscript", "template", "svg", "iframe", "form", "nav", "footer", "head")
_BLANK = re.compile(r"[ \t]*\n(?:[ \t]*\n)+")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read(page: Page) -> tuple[str, str]:
    """Title ("" where there is none) and text. Raises FetchFailed for what cannot be read."""
    if page.media_type not in _HTML:
        return "", _decoded(page)
    try:
        soup = BeautifulSoup(page.data, "html.parser", from_encoding=_charset(page) or None)
        title = " ".join(soup.title.get_text().split()) if soup.title else ""
        for element in soup(_NOISE):
            element.decompose()
        text = MarkdownConverter(heading_style="ATX", strip=["img"]).convert_soup(soup)
    except RecursionError:
        raise FetchFailed("the page cannot be read: it is nested too deeply") from None
    return title, _BLANK.sub("\n\n", text).strip()


def _decoded(page: Page) -> str:
    return page.data.decode(_charset(page) or "utf-8", "replace")


def _charset(page: Page) -> str:
    """What the data itself says, then what the server says, where Python knows it; else ""."""
    for mark, charset in _BOMS:
        if page.data.startswith(mark):
            return charset
    try:
        return codecs.lookup(page.charset).name if page.charset else ""
    except LookupError:
        return ""
