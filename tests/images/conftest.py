"""The file trees of two images, each built twice in folders whose paths differ in length; once for all tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Image:
    """Two trees of the same image, with their manifests. `locks` are what its environment was made from."""

    what: tuple[str, ...]
    locks: tuple[Path, ...]
    module: str
    roots: tuple[Path, Path]
    manifests: tuple[str, str]

    @property
    def root(self) -> Path:
        return self.roots[0]


def build(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs scripts/image.py as people do."""
    command = [sys.executable, "scripts/image.py", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=110)


def _twice(what: tuple[str, ...], locks: tuple[Path, ...], module: str, folder: Path) -> Image:
    roots = (folder / "a", folder / "a-much-longer-name")
    results = [
        build(*what, "--root", str(root), "--manifest", SOURCE_DATE_EPOCH="", PYTHONHASHSEED=str(seed))
        for seed, root in enumerate(roots)
    ]
    for result in results:
        assert result.returncode == 0, result.stderr
    return Image(what, locks, module, roots, (results[0].stdout, results[1].stdout))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    folder = tmp_path_factory.mktemp("images")
    wanted = {
        "gateway": (("gateway",), (ROOT / "requirements.lock", ROOT / "requirements-redis.lock"), "gateway"),
        "calculator": (
            ("service", "calculator"),
            (ROOT / "services/calculator/requirements.lock",),
            "firebreak_runtime",
        ),
    }
    with ThreadPoolExecutor(2) as pool:
        made = {name: pool.submit(_twice, *one, folder / name) for name, one in wanted.items()}
    yield {name: future.result() for name, future in made.items()}
    shutil.rmtree(folder)


@pytest.fixture(params=["gateway", "calculator"])
def image(images: dict[str, Image], request: pytest.FixtureRequest) -> Image:
    return images[request.param]
