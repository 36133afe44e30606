"""Short socket paths: pytest's own temporary folders are too deep for Unix sockets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def sockets() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def address(sockets: Path) -> str:
    return f"unix:{sockets}/edge.sock"
