"""A service on a Python of its own, beside services on another."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.instance import ROOT, Instance

OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13") if version != OURS]


def other_python() -> tuple[str, Path] | None:
    """Another supported Python on this machine: its version and where it is."""
    for version in OTHERS:
        installed = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python{version}"))
        named = shutil.which(f"python{version}")
        for found in (*installed, *([Path(named)] if named and ".pyenv" not in named else [])):
            return version, found
    return None


@pytest.mark.timeout(300)
def test_a_service_runs_on_the_python_that_it_asks_for(start: Callable[..., Instance], short_folder: Path) -> None:
    other = other_python()
    if other is None:
        pytest.skip(f"there is no second Python on this machine (looked for {', '.join(OTHERS)})")
    version, interpreter = other
    spec = importlib.util.spec_from_file_location("firebreak_scripts_setup", ROOT / "scripts/setup.py")
    assert spec is not None
    assert spec.loader is not None
    setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup)
    uv = setup.find_uv()
    env = short_folder / "env"
    setup.make_env(uv, env, ROOT / "services/calculator/requirements.lock", str(interpreter), setup.build_wheels(uv))

    folder = ROOT / "tests/e2e/services/elsewhere"
    instance = start([ROOT / "services/calculator", folder], envs={"elsewhere": env})
    assert instance.service("elsewhere")["python"].startswith(version)
    assert instance.service("calculator")["python"].startswith(OURS)
    with instance.client() as client:
        assert client.call("elsewhere", {}).text == version
        assert client.call("calculator", {"expression": "6 * 7"}).text == "42"
