"""The log: one JSON object a line, whatever is printed."""

from __future__ import annotations

import json
import os

from firebreak_runtime.log import Log
from firebreak_runtime.output import BURST, RATE, Output


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


async def _read(*writes: bytes, seconds_between: float = 0.0) -> list[str]:
    """The lines of what is written, with so many seconds on the output's clock between two writes."""
    lines: list[str] = []
    now = 0.0
    reading, writing = os.pipe()
    output = Output(reading, lines.append, lambda: now)
    for data in writes:
        os.write(writing, data)
        output._take()
        now += seconds_between
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


FLOOD = b"".join(b"x" * 4000 + b"\n" for _ in range(10))


async def test_a_process_that_goes_on_and_on_is_cut_to_a_burst_and_a_rate() -> None:
    lines = await _read(*[FLOOD] * 200, seconds_between=0.1)
    kept = sum(map(len, lines))
    assert BURST + 19 * RATE * 0.8 < kept < BURST + 20 * RATE
    counts = [line for line in lines if line.startswith("…")]
    assert len(counts) <= 21
    assert sum(int(line.split()[1]) for line in counts) + len(lines) - len(counts) == 2000


async def test_who_has_been_quiet_is_heard_again() -> None:
    lines = await _read(*[FLOOD] * 40, seconds_between=0.0)
    assert lines[-1].endswith("more lines were left out")
    assert sum(map(len, lines)) < BURST + 10_000
    assert await _read(*[FLOOD] * 40, seconds_between=1.0) == ["x" * 4000] * 400
