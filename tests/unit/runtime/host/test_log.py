"""The log: one JSON object a line, whatever is printed."""

from __future__ import annotations

import asyncio
import json
import os

from firebreak_runtime.log import Log
from firebreak_runtime.output import Output


def test_a_line_is_json_with_time_level_service_and_event() -> None:
    lines: list[str] = []
    log = Log("mine", lambda: 0.5, lines.append)
    log.info("started", pid=1)
    log.warning("odd")
    log.error("wrong", text="two\nlines")
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    first, second, third = map(json.loads, lines)
    assert first == {
        "time": "1970-01-01T00:00:00.500+00:00",
        "level": "info",
        "service": "mine",
        "event": "started",
        "pid": 1,
    }
    assert (second["level"], third["level"], third["text"]) == ("warning", "error", "two\nlines")


async def _read(*writes: bytes) -> list[str]:
    lines: list[str] = []
    reading, writing = os.pipe()
    output = Output(reading, lines.append)
    for data in writes:
        os.write(writing, data)
        await asyncio.sleep(0)
    os.close(writing)
    output.close()
    output.close()
    return lines


async def test_output_becomes_lines() -> None:
    assert await _read(b"one\ntwo\nthr", b"ee\nrest") == ["one", "two", "three", "rest"]


async def test_output_that_is_no_text_is_shown_all_the_same() -> None:
    assert await _read(b"\xff\xfe\n") == ["\ufffd\ufffd"]


async def test_too_many_lines_are_counted_instead() -> None:
    lines = await _read(b"x\n" * 1000)
    assert lines[:50] == ["x"] * 50
    assert lines[50:] == ["… 950 more lines were left out"]


async def test_a_line_without_end_is_cut() -> None:
    lines = await _read(b"x" * 60_000)
    assert max(map(len, lines)) <= 4096
