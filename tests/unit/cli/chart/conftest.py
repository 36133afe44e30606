"""The small repository, and the command in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

Chart = Callable[..., Result]


@pytest.fixture
def chart(repository: Path) -> Chart:
    """Runs `firebreak chart` on the small repository."""
    return lambda *words: CliRunner().invoke(app, ["chart", *words, "--config", str(repository / "firebreak.yaml")])
