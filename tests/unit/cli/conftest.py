"""A small repository: a configuration with two services, the shipped policies, and scripts that note what they are asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

CONFIGURATION = """\
listeners:
  - {name: public, address: 127.0.0.1:7500, accept: [jwt]}
admin: 127.0.0.1:1  # nobody is there
identity: {session_keys: keys}
policy: {path: policies}
services:
  # The first.
  - path: services/calculator
  - path: services/router  # the last

# The end.
"""

SETUP = """\
import os, pathlib, sys
name = sys.argv[-1]
pathlib.Path("asked").open("a").write(f"{sys.argv[1:]} in {os.getcwd()}\\n")
pathlib.Path("seen").write_text(pathlib.Path("firebreak.yaml").read_text())
env = pathlib.Path(".firebreak/envs", name)
env.mkdir(parents=True)
if pathlib.Path("offline").exists():
    env.with_name(name + ".error").write_text("no route to the index")
    sys.exit(f"service {name}: NOT installed. no route to the index")
"""

LOCK = """\
#!/bin/sh
echo "lock $1" >> asked
[ ! -e offline ] || { echo "no route to the index" >&2; exit 1; }
echo locked > "$1/requirements.lock"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Its folder. A file `offline` in it makes both scripts fail; `asked` holds what they were asked."""
    for name in ("calculator", "router"):
        (tmp_path / "services" / name).mkdir(parents=True)
        shutil.copy(ROOT / "services" / name / "service.yaml", tmp_path / "services" / name)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (tmp_path / "services/requirements.in").write_text("langchain==9.9.9\n")
    (tmp_path / "services/requirements.lock").write_text("the default lock\n")
    (tmp_path / "firebreak.yaml").write_text(CONFIGURATION)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/setup.py").write_text(SETUP)
    (tmp_path / "scripts/lock").write_text(LOCK)
    (tmp_path / "scripts/lock").chmod(0o755)
    return tmp_path
