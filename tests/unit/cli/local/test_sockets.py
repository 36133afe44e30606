"""Each process has a socket path of its own, and the configured address leads to one of them at every instant."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from cli.local.sockets import LONGEST, NoRoom, Sockets


def bound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def test_every_process_gets_a_folder_of_its_own_beside_the_address(tmp_path: Path) -> None:
    sockets = Sockets(tmp_path)
    first, second = (sockets.beside("unix:run/x.sock") for _ in range(2))
    assert (first, second) == ("unix:run/x.1/serve.sock", "unix:run/x.2/serve.sock")
    assert sockets.beside("unix:plain") == "unix:plain.3/serve.sock"
    assert stat.S_IMODE((tmp_path / "run/x.1").stat().st_mode) == 0o700


def test_an_address_may_be_absolute(tmp_path: Path) -> None:
    assert Sockets(Path("nowhere")).beside(f"unix:{tmp_path}/x.sock") == f"unix:{tmp_path}/x.1/serve.sock"


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.1").touch()
    (tmp_path / "x.2").symlink_to("nothing")
    assert Sockets(tmp_path).beside("unix:x.sock") == "unix:x.3/serve.sock"


@pytest.mark.parametrize("size", [LONGEST - 1, LONGEST])
def test_a_long_address_still_leaves_room_for_one_that_can_be_bound(tmp_path: Path, size: int) -> None:
    own = Sockets(tmp_path).beside("unix:" + "é" + "x" * (size - len("é.sock".encode())) + ".sock")
    assert len(own.removeprefix("unix:").encode()) <= LONGEST


def test_a_place_that_leaves_no_room_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    tail = ".1/serve.sock"
    folder = "d" * (LONGEST - len(tail) - 2)
    assert len(Sockets(tmp_path).beside(f"unix:{folder}/x.sock").removeprefix("unix:")) == LONGEST
    with pytest.raises(NoRoom, match="in a folder with a shorter path"):
        Sockets(tmp_path).beside(f"unix:{folder}d/x.sock")


def test_the_address_leads_to_the_one_in_use(tmp_path: Path) -> None:
    sockets, link = Sockets(tmp_path), tmp_path / "run/x.sock"
    for own in ("run/x.1/serve.sock", "run/x.2/serve.sock"):
        sockets.point("unix:run/x.sock", f"unix:{own}")
        assert link.resolve() == (tmp_path / own).resolve()
    assert list(link.parent.iterdir()) == [link]


def test_the_address_takes_the_place_of_a_socket_that_was_left_there(tmp_path: Path) -> None:
    bound(tmp_path / "x.sock")
    Sockets(tmp_path).point("unix:x.sock", "unix:x.1/serve.sock")
    assert (tmp_path / "x.sock").readlink() == Path("x.1/serve.sock")


def test_what_is_dropped_takes_the_address_along_only_while_that_leads_there(tmp_path: Path) -> None:
    sockets = Sockets(tmp_path)
    bound(tmp_path / "x.1/serve.sock")
    sockets.point("unix:x.sock", "unix:x.2/serve.sock")
    sockets.drop("unix:x.sock", "unix:x.1/serve.sock")
    assert not (tmp_path / "x.1").exists()
    assert (tmp_path / "x.sock").is_symlink()
    sockets.drop("unix:x.sock", "unix:x.2/serve.sock")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_launcher_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("x.7/serve.sock", "x-y.7/serve.sock", "x.y/serve.sock", "x.sock"):
        bound(tmp_path / name)
    (tmp_path / "x.6").mkdir()
    (tmp_path / "x.8").mkdir()
    (tmp_path / "x.8/notes").write_text("somebody's own")
    Sockets(tmp_path).clear("unix:x.sock")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-y.7", "x.8", "x.y"]
