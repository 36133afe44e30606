"""The notes beside the database: always the last head, and never written anywhere else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from gateway.adapters.journal.heads import Heads, read_heads
from gateway.adapters.journal.rows import Head

ONE, TWO = Head(9, b"1" * 32), Head(10, b"2" * 32)


def test_the_last_note_counts(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "a/heads")
    heads.note("w", ONE)
    heads.note("w", TWO)
    heads.note("v", ONE)
    heads.close()
    assert read_heads(tmp_path / "a/heads") == {"w": TWO, "v": ONE}
    assert (tmp_path / "a/heads").stat().st_mode & 0o777 == 0o700


def test_a_chain_that_was_forgotten_and_grows_on_is_noted_anew(tmp_path: Path) -> None:
    heads = Heads(tmp_path)
    heads.note("w", ONE)
    assert heads.forget("w", ONE) is None
    assert heads.forget("w", ONE) is None
    assert read_heads(tmp_path) == {}
    heads.note("w", TWO)
    heads.close()
    assert read_heads(tmp_path) == {"w": TWO}


@pytest.mark.parametrize("named", [Head(8, b"0" * 32), Head(9, b"0" * 32)])
def test_a_note_that_knows_more_than_is_named_stays(tmp_path: Path, named: Head) -> None:
    heads = Heads(tmp_path)
    heads.note("w", ONE)
    assert heads.forget("w", named) == ONE
    heads.close()
    assert read_heads(tmp_path) == {"w": ONE}


def test_a_note_that_is_behind_what_is_named_goes(tmp_path: Path) -> None:
    heads = Heads(tmp_path)
    heads.note("w", ONE)
    assert heads.forget("w", TWO) is None
    heads.close()
    assert read_heads(tmp_path) == {}


def test_a_folder_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads")
    heads.note("w", ONE)
    shutil.rmtree(tmp_path / "heads")
    heads.note("w", TWO)
    heads.close()
    assert read_heads(tmp_path / "heads") == {"w": TWO}


def test_a_note_that_cannot_be_opened_again_is_never_written_into_another_file(tmp_path: Path) -> None:
    heads = Heads(tmp_path / "heads")
    heads.note("w", ONE)
    shutil.rmtree(tmp_path / "heads")
    (tmp_path / "heads").write_text("in the way")
    with pytest.raises(OSError, match="File exists"):
        heads.note("w", TWO)
    # Takes the number that the note's file had.
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    with pytest.raises(OSError, match="File exists"):
        heads.note("w", TWO)
    heads.close()
    assert os.fstat(other).st_size == 0
    os.close(other)


def test_no_folder_is_no_heads(tmp_path: Path) -> None:
    assert read_heads(tmp_path / "none") == {}


def test_a_note_that_was_never_written_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("")
    assert read_heads(tmp_path) == {}


@pytest.mark.parametrize("text", ["1", "one " + "00" * 32, "1 xyz"])
def test_what_is_no_note_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "w").write_text(text)
    with pytest.raises(ValueError, match="is not the note of a chain's end"):
        read_heads(tmp_path)
