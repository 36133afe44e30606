"""The head of a target's answer, as the service gets it."""

from __future__ import annotations

import re

from cli.egress.answers import MARK, Answered
from cli.egress.head import end_to_end, split
from cli.egress.wire import Ended, TooLong, Wire

MOST = 64 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\t -~\x80-\xff]*)?")
_SWITCHED = 101


async def receive(upstream: Wire) -> tuple[bool, bytes]:
    """The next head, and whether it is the last one: others announce it. Raises Answered (502) or OSError.

    It says that the connection ends, whatever the target says: a second request on it would go nowhere.
    """
    try:
        data = await upstream.until(b"\r\n\r\n", MOST)
        return rewritten(data)
    except (Ended, TooLong, Answered):
        raise Answered(502, "the host gave no answer that is HTTP/1.1") from None


def rewritten(data: bytes) -> tuple[bool, bytes]:
    """The same of a head that is there. Raises Answered."""
    first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    status = _STATUS.fullmatch(first)
    if status is None or int(status[1]) == _SWITCHED:
        raise Answered(502, "")
    headers = [f"{name}: {value}" for name, value in end_to_end(split(lines), {MARK.lower()})]
    last = int(status[1]) >= 200
    return last, "\r\n".join([first, *headers, *(["Connection: close"] if last else []), "", ""]).encode("latin-1")
