"""The body of a request, piece by piece, as it comes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from cli.egress.answers import Answered
from cli.egress.wire import PIECE, Ended, TooLong, Wire

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}\r\n")
_LONGEST_LINE = 64


async def body(client: Wire, length: int | None) -> AsyncIterator[bytes]:
    """What goes to the target: `length` bytes, or chunks where it is None. Raises Answered (400) or OSError.

    Chunks are made anew from what was understood, so that the target cannot understand them otherwise.
    """
    try:
        if length is not None:
            async for piece in _counted(client, length):
                yield piece
            return
        while size := await _size(client):
            async for piece in _counted(client, size):
                yield b"%x\r\n%b\r\n" % (len(piece), piece)
            await _line_end(client)
        await _line_end(client)
        yield b"0\r\n\r\n"
    except Ended:
        raise Answered(400, "the request ended before its body") from None


async def _counted(client: Wire, left: int) -> AsyncIterator[bytes]:
    while left:
        piece = await client.some(min(left, PIECE))
        if not piece:
            raise Ended(nothing=False)
        left -= len(piece)
        yield piece


async def _size(client: Wire) -> int:
    """The size of the next chunk. Extensions are refused: nobody uses them, and not everybody reads them alike."""
    try:
        line = await client.until(b"\n", _LONGEST_LINE)
    except TooLong:
        raise _wrong() from None
    if not _SIZE.fullmatch(line):
        raise _wrong()
    return int(line, 16)


async def _line_end(client: Wire) -> None:
    """Behind a chunk, and behind the last one: trailers are refused for the same reason."""
    data = await client.some(2)
    if len(data) == 1:
        data += await client.some(1)
    if data != b"\r\n":
        raise _wrong() if data else Ended(nothing=False)


def _wrong() -> Answered:
    return Answered(400, "the request is not well-formed: its chunks")
