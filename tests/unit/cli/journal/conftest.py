"""A journal in a folder of the test's own, and the command on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from tests.unit.cli.journal.world import World

Run = Callable[..., Result]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def journal(world: World) -> Run:
    """Runs `firebreak journal` with these words on the world's journal."""

    def run(*words: str, **options: Any) -> Result:
        return CliRunner().invoke(app, ["journal", *words, "--config", str(world.config)], **options)

    return run
