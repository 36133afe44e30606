"""A change of what a service is made of is seen; what it is not made of is not looked at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.local.marks import environment_mark, file_mark, folder_mark


def write(file: Path, text: str = "x") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_file_that_changed_came_or_went_changes_the_mark(tmp_path: Path) -> None:
    file = write(tmp_path / "package/tool.py")
    seen = [folder_mark(tmp_path)]
    write(file, "xx")
    seen.append(folder_mark(tmp_path))
    os.utime(file, ns=(1, 1))
    seen.append(folder_mark(tmp_path))
    write(tmp_path / "data.txt")
    seen.append(folder_mark(tmp_path))
    file.unlink()
    seen.append(folder_mark(tmp_path))
    assert len(set(seen)) == len(seen)
    assert folder_mark(tmp_path) == seen[-1]


@pytest.mark.parametrize("name", [".tool.py.swp", "tool.py~", "__pycache__/tool.pyc", ".git/index"])
def test_traces_of_editors_and_byte_code_do_not(tmp_path: Path, name: str) -> None:
    write(tmp_path / "tool.py")
    before = folder_mark(tmp_path)
    write(tmp_path / name)
    assert folder_mark(tmp_path) == before


def test_a_folder_that_is_not_there_has_an_empty_mark(tmp_path: Path) -> None:
    assert folder_mark(tmp_path / "none") == ()
    (tmp_path / "dangling").symlink_to("nowhere")
    assert folder_mark(tmp_path) == ()


def test_a_link_to_a_folder_is_not_followed_round_and_round(tmp_path: Path) -> None:
    write(tmp_path / "tool.py")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [name for name, *_ in folder_mark(tmp_path)] == ["loop", "tool.py"]


def test_single_files_count_as_far_as_they_are_there(tmp_path: Path) -> None:
    assert file_mark(tmp_path / "a") == ()
    assert [name for name, *_ in file_mark(write(tmp_path / "a"), tmp_path / "b")] == ["a"]


def test_an_environment_is_known_by_what_setup_wrote_of_it(tmp_path: Path) -> None:
    write(tmp_path / ".stamp", "lock")
    assert environment_mark(tmp_path) is None
    write(tmp_path / ".wheels", "runtime")
    assert environment_mark(tmp_path) == ("lock", "runtime")
