"""Programs that only tests need, as `make tools` installs them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

BIN = Path(__file__).resolve().parents[1] / ".firebreak" / "tools" / "bin"


def needed(program: str, called: str) -> str:
    """Its path. Without it the test is skipped, and says what to do; where tools are required, as in CI, it fails."""
    installed = BIN / program
    found = str(installed) if installed.exists() else shutil.which(program)
    if found is None:
        lacking(f"this test needs the real {called}, which is not installed: run 'make tools'")
    return found


def lacking(what: str) -> NoReturn:
    """Ends a test that needs something that is not here: it is skipped; where tools are required, as in CI, it fails."""
    if os.environ.get("FIREBREAK_TOOLS") == "required":
        pytest.fail(what)
    pytest.skip(what)
