"""The first bubblewrap that really works is taken; where none does, the reason says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.local.sandbox.bubblewrap import NAMESPACES, NO_MORE_USERS, candidates, choose, run


class Machine:
    """Programs that fail with these words; `old` ones do not know the newest option."""

    def __init__(self, broken: dict[str, str], old: tuple[str, ...] = ()) -> None:
        self.broken = broken
        self.old = old

    def run(self, command: Sequence[str]) -> str:
        if command[0] in self.old and NO_MORE_USERS in command:
            return f"bwrap: Unknown option {NO_MORE_USERS}"
        return self.broken.get(command[0], "")


def test_a_broken_one_falls_through_to_the_next() -> None:
    box, _ = choose([Path("/a"), Path("/b")], Machine({"/a": "bwrap: no"}).run)
    assert box is not None
    assert box.program == Path("/b")
    assert NO_MORE_USERS in box.options


def test_an_old_one_is_used_without_what_it_does_not_know() -> None:
    box, _ = choose([Path("/a")], Machine({}, old=("/a",)).run)
    assert box is not None
    assert box.options == NAMESPACES


def test_where_there_is_none_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    box, why = choose([], Machine({}).run, tmp_path)
    assert box is None
    assert "setup.py run" in why
    assert "package `bubblewrap`" in why


@pytest.mark.parametrize(
    ("setting", "value", "said", "advice"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "bwrap: loopback: Failed RTM_NEWADDR", "AppArmor"),
        ("user/max_user_namespaces", "0", "bwrap: No space left on device", "sysctl user.max_user_namespaces="),
        ("kernel/unprivileged_userns_clone", "0", "bwrap: No permissions", "unprivileged_userns_clone=1"),
        ("kernel/other", "0", "bwrap: Can't mount proc on /newroot/proc", "systempaths=unconfined"),
        ("kernel/other", "0", "bwrap: something new", "cannot make a sandbox here"),
    ],
)
def test_a_refusal_is_explained(tmp_path: Path, setting: str, value: str, said: str, advice: str) -> None:
    (tmp_path / setting).parent.mkdir(parents=True)
    (tmp_path / setting).write_text(f"{value}\n")
    _, why = choose([Path("/a")], Machine({"/a": said}).run, tmp_path)
    assert advice in why
    assert said.removeprefix("bwrap: ") in why


def test_it_is_looked_for_on_path_then_where_setup_puts_it(tmp_path: Path) -> None:
    folders = [tmp_path / "path", tmp_path / "state/tools/bin", tmp_path / "repository/.firebreak/tools/bin"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "bwrap").touch(mode=0o755)
    found = candidates(tmp_path / "state", tmp_path / "repository", str(folders[0]))
    assert found == [folder / "bwrap" for folder in folders]
    assert candidates(tmp_path / "none", tmp_path / "none", "") == []


def test_what_a_program_says_when_it_fails_is_known() -> None:
    assert run(["/bin/sh", "-c", "echo no >&2; exit 1"]) == "no"
    assert run(["/bin/sh", "-c", "exit 3"]) == "exit code 3"
    assert "No such file" in run(["/no/such/program"])
    assert run(["/bin/sh", "-c", "echo warning >&2"]) == ""
