"""LangChain's standard suites end the same on a proxy as on the local object, and the page says what they said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(600)
def test_a_proxy_passes_what_the_local_object_passes_on_every_framework() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.strip() in (ROOT / "docs/compatibility.md").read_text(), f"the page is old:\n{done.stdout}"
