"""How documents become passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.handbook.handbook.documents import DocumentError, Passage, read

SHIPPED = Path(__file__).resolve().parents[4] / "services" / "handbook" / "documents"


def test_one_passage_a_heading(tmp_path: Path) -> None:
    (tmp_path / "tea.md").write_text(
        "# Tea\n\nAbout tea.\n\n## Green & black\nHot.\nWet.\n\n### Price?\nLow.\n## Empty\n"
    )
    assert read(tmp_path) == (
        Passage("Tea", "Tea", "tea.md#tea", "About tea."),
        Passage("Tea", "Green & black", "tea.md#green-black", "Hot.\nWet."),
        Passage("Tea", "Price?", "tea.md#price", "Low."),
    )


def test_files_come_in_order_and_start_afresh(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# B\ntext\n")
    (tmp_path / "a.md").write_text("# A\n## H\ntext")
    assert [passage.source for passage in read(tmp_path)] == ["a.md#h", "b.md#b"]


def test_text_without_a_title_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bare.md").write_text("no title\n")
    with pytest.raises(DocumentError, match=r"bare\.md"):
        read(tmp_path)


def test_an_empty_handbook_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no Markdown document"):
        read(tmp_path)


def test_every_shipped_passage_has_its_own_source_and_something_to_say() -> None:
    passages = read(SHIPPED)
    assert len({passage.title for passage in passages}) == 13
    assert len({passage.source for passage in passages}) == len(passages) > 70
    assert all(len(passage.text.split()) >= 35 for passage in passages)
