"""Runs a script with a service's own interpreter, for what the development environment does not have."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SERVICES = ("assistant", "assistant-classic", "calculator", "handbook", "python", "router", "sql", "web-fetch")
EXTRAS = ("provider", "smollm")
"""Shipped, but part of no installation until somebody wants them."""


def run_in(service: str, script: Path, *arguments: str) -> Any:
    """What the script prints, as JSON. It runs isolated, as the service does, in the service's folder and with its `env`.

    Fails the test with the script's own error when it ends with one.
    """
    interpreter = ROOT / ".firebreak" / "envs" / service / "bin" / "python"
    assert interpreter.exists(), (
        f"the environment of {service} is missing: run python3 scripts/setup.py service {service}"
    )
    folder = ROOT / "services" / service
    command = [str(interpreter), "-I", "-W", "error", "-c", _START, str(folder), str(script), *arguments]
    env = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


_START = """
import runpy, sys
folder, script = sys.argv[1:3]
sys.path.insert(0, folder)
sys.argv = sys.argv[2:]
runpy.run_path(script, run_name="__main__")
"""
