"""What a log says last, and how it stays bounded."""

from __future__ import annotations

from pathlib import Path

from cli.local.logs import cut, last_line, put_aside


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('first\n{"event": "it broke", "level": "error"}\n\n')
    assert last_line(log) == "it broke"
    log.write_text("x" * 1000)
    assert len(last_line(log)) == 300
    assert last_line(tmp_path / "none") == "(no log)"


def test_a_large_log_is_put_aside_and_a_small_one_goes_on(tmp_path: Path) -> None:
    log, aside = tmp_path / "x.log", tmp_path / "x.log.1"
    log.write_bytes(b"x" * 10)
    put_aside(log, 10)
    assert log.exists()
    assert not aside.exists()
    log.write_bytes(b"y" * 11)
    put_aside(log, 10)
    assert not log.exists()
    assert aside.read_bytes() == b"y" * 11


def test_a_log_that_grows_is_emptied_while_it_is_written_to_and_its_end_is_kept(tmp_path: Path) -> None:
    log, aside = tmp_path / "x.log", tmp_path / "x.log.1"
    with log.open("ab", buffering=0) as file:
        file.write(b"a" * 10)
        cut(log, 10)
        assert not aside.exists()
        file.write(b"b" * 5)
        cut(log, 10)
        file.write(b"c")
    assert aside.read_bytes() == b"a" * 5 + b"b" * 5
    assert log.read_bytes() == b"c"
