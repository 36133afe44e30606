from __future__ import annotations

from pathlib import Path

from cli.gameday.clock_shift import LOOK, Shifted


def test_the_clock_is_wrong_by_what_the_file_says(tmp_path: Path) -> None:
    file, now = tmp_path / "offset", [0.0]
    file.write_text("0")
    shifted = Shifted(file, lambda: 1000.0, lambda: now[0])
    assert shifted() == 1000.0
    file.write_text("-60.5")
    now[0] = LOOK * 0.9
    assert shifted() == 1000.0, "it looks again only after a while"
    now[0] = LOOK
    assert shifted() == 939.5
