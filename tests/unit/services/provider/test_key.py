"""The file with the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from firebreak_runtime.errors import LoadError

from services.provider.provider.key import MOST, KeyFile


def file(folder: Path, content: bytes) -> KeyFile:
    path = folder / "provider.key"
    path.write_bytes(content)
    return KeyFile(path)


@pytest.mark.parametrize("content", [b"sk-1_A.b", b"sk-1_A.b\n", b"  sk-1_A.b\r\n"])
def test_a_key_is_read_without_the_space_around_it(tmp_path: Path, content: bytes) -> None:
    assert file(tmp_path, content).read() == "sk-1_A.b"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"two words", "holds no key"),
        (b"a\nb", "holds no key"),
        ("schlüssel".encode(), "holds no key"),
        (b"a" * (MOST + 1), "holds no key"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes, wrong: str) -> None:
    with pytest.raises(LoadError, match=wrong) as caught:
        file(tmp_path, content).check()
    assert str(tmp_path) not in str(caught.value)
    assert "two words" not in str(caught.value)


def test_a_key_may_fill_the_file(tmp_path: Path) -> None:
    assert len(file(tmp_path, b"a" * MOST).read()) == MOST


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"provider\.key, cannot be read \(FileNotFoundError\): put the key into it"):
        KeyFile(tmp_path / "provider.key").read()


def test_a_new_key_counts_at_once(tmp_path: Path) -> None:
    key = file(tmp_path, b"old")
    assert key.read() == "old"
    file(tmp_path, b"new")
    assert key.read() == "new"
