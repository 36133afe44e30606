"""A log that nobody reads must not stop the gateway."""

from __future__ import annotations

import threading

from gateway.adapters.telemetry.lines import LineWriter


def test_lines_are_written_in_order_and_all_of_them_at_the_end() -> None:
    written: list[bytes] = []
    writer = LineWriter(written.append)
    for n in range(500):
        writer.line(b"%d" % n)
    writer.close()
    assert b"".join(written) == b"".join(b"%d\n" % n for n in range(500))
    assert writer.dropped == 0


def test_lines_are_written_before_the_end_too() -> None:
    came = threading.Event()
    writer = LineWriter(lambda data: came.set())
    writer.line(b"now")
    assert came.wait(10)
    writer.close()


def test_a_reader_that_has_stopped_costs_lines_and_not_time() -> None:
    stuck, release = threading.Event(), threading.Event()

    def blocks(data: bytes) -> None:
        stuck.set()
        release.wait(30)

    writer = LineWriter(blocks, limit=10)
    writer.line(b"first")
    assert stuck.wait(10)
    for _ in range(50):
        writer.line(b"x")
    assert writer.dropped == 40
    release.set()
    writer.close()


def test_a_closed_pipe_is_counted_and_not_raised() -> None:
    def broken(data: bytes) -> None:
        raise BrokenPipeError

    writer = LineWriter(broken)
    writer.line(b"a")
    writer.close()
    assert writer.dropped == 1
