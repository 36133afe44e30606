"""The first process of a sandbox, by what /proc says."""

from __future__ import annotations

import signal
from pathlib import Path

from cli.local.sandbox.inside import first_process, hears


def test_the_child_of_bubblewrap_is_the_first_process(tmp_path: Path) -> None:
    children = tmp_path / "7/task/7/children"
    assert first_process(7, tmp_path) is None
    children.parent.mkdir(parents=True)
    children.write_text("")
    assert first_process(7, tmp_path) is None
    children.write_text("8 ")
    assert first_process(7, tmp_path) == 8


def test_a_signal_is_heard_where_there_is_a_handler(tmp_path: Path) -> None:
    (tmp_path / "8").mkdir()
    (tmp_path / "8/status").write_text("Name:\tpython\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\n")
    assert hears(8, signal.SIGTERM, tmp_path)
    assert hears(8, signal.SIGINT, tmp_path)
    assert not hears(8, signal.SIGUSR1, tmp_path)
    assert not hears(9, signal.SIGTERM, tmp_path)
