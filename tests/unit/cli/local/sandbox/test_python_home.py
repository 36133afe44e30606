"""An environment's interpreter is found by every name that leads to it."""

from __future__ import annotations

import sys
from pathlib import Path

from cli.local.sandbox.python_home import python_folders


def installation(folder: Path) -> Path:
    for part in ("bin", "lib"):
        (folder / part).mkdir(parents=True)
    (folder / "bin/python3").touch()
    return folder


def environment(folder: Path, python: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(python)
    return folder


def test_a_link_to_an_installation_leads_to_its_programs_and_libraries(tmp_path: Path) -> None:
    home = installation(tmp_path / "3.11.7")
    (home / "share").mkdir()
    assert python_folders(environment(tmp_path / "env", home / "bin/python3")) == (home / "bin", home / "lib")


def test_every_name_on_the_way_is_there(tmp_path: Path) -> None:
    home = installation(tmp_path / "3.11.7")
    (tmp_path / "3.11").symlink_to("3.11.7")
    env = environment(tmp_path / "env", Path("../../3.11/bin/python3"))
    assert python_folders(env) == tuple(
        tmp_path / name / part for name in ("3.11", "3.11.7") for part in ("bin", "lib")
    )
    assert home / "bin" in python_folders(env)


def test_a_link_within_the_environment_is_none_to_an_installation(tmp_path: Path) -> None:
    home = installation(tmp_path / "3.11.7")
    env = environment(tmp_path / "env", Path("python3"))
    (env / "lib").mkdir()
    (env / "bin/python3").symlink_to(home / "bin/python3")
    assert python_folders(env) == (home / "bin", home / "lib")


def test_the_home_that_the_environment_names_is_there_too(tmp_path: Path) -> None:
    home, other = installation(tmp_path / "a"), installation(tmp_path / "b")
    env = environment(tmp_path / "env", home / "bin/python3")
    (env / "pyvenv.cfg").write_text(f"version = 3.11\nhome = {other / 'bin'}\n")
    assert set(python_folders(env)) == {folder / part for folder in (home, other) for part in ("bin", "lib")}


def test_links_in_a_circle_lead_nowhere_and_end(tmp_path: Path) -> None:
    env = environment(tmp_path / "env", Path("other"))
    (env / "bin/other").symlink_to("python")
    assert python_folders(env) == ()


def test_this_one_is_found() -> None:
    assert (Path(sys.base_prefix) / "lib").resolve() in [
        folder.resolve() for folder in python_folders(Path(sys.prefix))
    ]
