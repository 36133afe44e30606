"""The runtime's own suite, once more on the other supported framework: LangChain 0.3, and protobuf 6."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".firebreak/envs/langchain-0.3/bin/python"


@pytest.mark.timeout(600)
def test_the_runtimes_suite_passes_on_langchain_0_3() -> None:
    assert PYTHON.exists(), "this test needs LangChain 0.3: run `make setup`"
    paths = [ROOT / "services/runtime", ROOT / "proto", ROOT]
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-c", "pyproject.toml", "tests/unit/runtime"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 400
