"""Environments on other Pythons of this machine, made once and kept."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

from cli.gameday.instance import ROOT

OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
SUPPORTED = ("3.11", "3.12", "3.13")
KEPT = ROOT / ".firebreak/gameday/envs"


def other_pythons() -> tuple[dict[str, Path], tuple[str, ...]]:
    """An environment with what the calculator has on each other Python, by version; and why there is none on others."""
    setup = _setup()
    found: dict[str, Path] = {}
    missing: list[str] = []
    for version in SUPPORTED:
        if version == OURS:
            continue
        try:
            found[version] = _made(setup, version)
        except (Exception, SystemExit) as error:
            missing.append(f"Python {version} was not run: {error}")
    return found, tuple(missing)


def _setup() -> Any:
    """The repository's own setup script, which is no package."""
    spec = importlib.util.spec_from_file_location("firebreak_setup", ROOT / "scripts/setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _made(setup: Any, version: str) -> Path:
    uv, env, lock = setup.find_uv(), KEPT / version, ROOT / "services/calculator/requirements.lock"
    KEPT.mkdir(parents=True, exist_ok=True)
    with setup.alone():
        setup.make_env(uv, env, lock, str(_interpreter(version)), setup.build_wheels(uv))
    return env


def _interpreter(version: str) -> Path:
    """Where the Python is. A pyenv's own come first: what it has on the path starts nothing unless it is chosen there."""
    installed = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python{version}"))
    named = shutil.which(f"python{version}")
    if not installed and (named is None or "shims" in named):
        raise OSError("it is not installed here")
    return installed[-1] if installed else Path(str(named))
