from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cli.local.private_files import make_private_folder, read_private, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folders_are_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private_folder(folder)
    write_private(folder / "secret", b"x")
    assert (mode(folder), mode(folder / "secret")) == (0o700, 0o600)


def test_what_was_open_to_others_is_narrowed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "file").chmod(0o644)
    make_private_folder(tmp_path / "open")
    assert read_private(tmp_path / "file") == b"x"
    assert (mode(tmp_path / "open"), mode(tmp_path / "file")) == (0o700, 0o600)


def test_a_file_is_replaced_in_one_step_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"old")
    before = (tmp_path / "file").stat().st_ino
    with (tmp_path / "file").open("rb") as reader:
        write_private(tmp_path / "file", b"new")
        assert reader.read() == b"old", "who was reading reads the old content to its end"
    assert (tmp_path / "file").stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_private(tmp_path / "taken", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "no") is None
