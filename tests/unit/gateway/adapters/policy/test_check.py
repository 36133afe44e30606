"""The policy author's check of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.policy.__main__ import main
from tests.unit.gateway.adapters.policy.folders import small


def test_a_sound_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(small(tmp_path))]) == 0
    assert "sound, 1 files of rules, 1 tests pass" in capsys.readouterr().out


def test_a_broken_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(small(tmp_path, {"data/friends.yaml": "friends: yes\n"}))]) == 1
    assert capsys.readouterr().err.startswith("data/friends.yaml:1: readers of YAML disagree")


def test_wrong_usage():
    assert main(["a", "b"]) == 2
