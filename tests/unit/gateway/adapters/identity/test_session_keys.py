"""The folder of session keys while files come, go and break."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.adapters.identity.keys import BadKeyError
from gateway.adapters.identity.session_keys import SessionKeys
from tests.unit.gateway.adapters.identity.world import session_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    session_key(tmp_path, "k-1")
    return tmp_path


def test_the_greatest_key_id_signs_and_all_verify(folder: Path) -> None:
    session_key(folder, "k-3")
    session_key(folder, "k-2")
    keys = SessionKeys(folder)
    assert keys.newest[0] == "k-3"
    assert all(keys.find(kid) for kid in ("k-1", "k-2", "k-3"))


def test_a_new_key_signs_once_it_is_there_and_the_old_one_verifies_on(folder: Path) -> None:
    keys = SessionKeys(folder)
    session_key(folder, "k-2")
    keys.scan()
    assert keys.newest[0] == "k-2"
    assert keys.find("k-1")


def test_a_removed_key_is_no_longer_in_force(folder: Path) -> None:
    session_key(folder, "k-2")
    keys = SessionKeys(folder)
    (folder / "k-1.json").unlink()
    keys.scan()
    assert keys.find("k-1") is None
    assert keys.problem == ""


@pytest.mark.parametrize("bad", [b"", b"{", b'{"kty":"oct"', b'{"kty":"oct","kid":"k-2","k":"c2hvcnQ"}', b" " * 20_000])
def test_a_bad_new_file_changes_nothing_and_says_why(folder: Path, bad: bytes) -> None:
    keys = SessionKeys(folder)
    (folder / "k-2.json").write_bytes(bad)
    with capture_logs() as logs:
        keys.scan()
        keys.scan()
    assert keys.newest[0] == "k-1"
    assert keys.problem.startswith("k-2.json: ")
    assert [entry["why"] for entry in logs] == [keys.problem], "said once"


def test_a_file_that_is_completed_later_counts_then(folder: Path) -> None:
    keys = SessionKeys(folder)
    session_key(folder, "k-2")
    whole = (folder / "k-2.json").read_bytes()
    (folder / "k-2.json").write_bytes(whole[:20])
    keys.scan()
    (folder / "k-2.json").write_bytes(whole)
    keys.scan()
    assert (keys.newest[0], keys.problem) == ("k-2", "")


def test_a_good_file_that_turns_bad_keeps_its_key_while_others_come_and_go(folder: Path) -> None:
    session_key(folder, "k-2")
    keys = SessionKeys(folder)
    (folder / "k-2.json").write_bytes(b"{")
    (folder / "k-1.json").unlink()
    session_key(folder, "k-0")
    keys.scan()
    assert keys.newest[0] == "k-2"
    assert keys.find("k-0")
    assert keys.find("k-1") is None
    assert "k-2.json" in keys.problem


def test_a_file_that_cannot_be_read_keeps_its_key(folder: Path) -> None:
    keys = SessionKeys(folder)
    (folder / "k-1.json").unlink()
    (folder / "k-1.json").mkdir()
    keys.scan()
    assert keys.find("k-1")
    assert "k-1.json: " in keys.problem


@pytest.mark.parametrize("harm", ["emptied", "gone"])
def test_a_folder_without_keys_changes_nothing_and_says_why(folder: Path, harm: str) -> None:
    keys = SessionKeys(folder)
    (folder / "k-1.json").unlink()
    if harm == "gone":
        folder.rmdir()
    keys.scan()
    assert keys.newest[0] == "k-1"
    assert keys.problem


def test_hidden_and_other_files_are_passed_over(folder: Path) -> None:
    (folder / ".k-2.json.draft").write_bytes(b"{")
    (folder / ".k-3.json").write_bytes(b"{")
    (folder / "README").write_text("x")
    assert SessionKeys(folder).problem == ""


def test_two_files_with_one_key_id_are_said(folder: Path) -> None:
    (folder / "k-9.json").write_bytes((folder / "k-1.json").read_bytes())
    assert "same kid" in SessionKeys(folder).problem


def test_keys_swapped_by_a_link_are_taken_up(tmp_path: Path) -> None:
    """As a mounted Kubernetes secret changes: files link to "..data/NAME", and "..data" is swapped."""
    for version, kid in (("v1", "k-1"), ("v2", "k-2")):
        (tmp_path / f"..{version}").mkdir()
        session_key(tmp_path / f"..{version}", kid).as_dict()
        (tmp_path / f"..{version}" / f"{kid}.json").rename(tmp_path / f"..{version}" / "key.json")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "key.json").symlink_to("..data/key.json")
    keys = SessionKeys(tmp_path)
    (tmp_path / "next").symlink_to("..v2")
    (tmp_path / "next").replace(tmp_path / "..data")
    keys.scan()
    assert keys.newest[0] == "k-2"


def test_without_any_key_the_start_fails_and_says_where(tmp_path: Path) -> None:
    with pytest.raises(BadKeyError, match=r"no key file"):
        SessionKeys(tmp_path)
    with pytest.raises(BadKeyError, match="No such file"):
        SessionKeys(tmp_path / "missing")


async def test_running_takes_changes_up_by_itself(folder: Path) -> None:
    keys = SessionKeys(folder)
    running = asyncio.create_task(keys.run())
    session_key(folder, "k-2")
    async with asyncio.timeout(10):
        while keys.newest[0] != "k-2":
            await asyncio.sleep(0.01)
    running.cancel()


def test_no_secret_is_logged_or_printed(folder: Path) -> None:
    with capture_logs() as logs:
        secret = str(session_key(folder, "k-2").as_dict()["k"])
        keys = SessionKeys(folder)
        (folder / "k-2.json").write_text(f'{{"kty":"oct","kid":"k-2","k":"{secret}"')
        keys.scan()
    assert logs
    printed = f"{logs} {keys!r} {vars(keys)} {keys.problem}"
    assert secret not in printed
