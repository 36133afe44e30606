"""Prometheus's own parser and engine, as promtool has them: rules are read, and tried over written series."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.programs import needed


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What the program says; see `needed`."""
    return subprocess.run(
        [needed("promtool", "promtool of Prometheus"), *arguments], capture_output=True, text=True, check=False
    )


def write_rules(file: Path, rules: Sequence[Mapping[str, Any]]) -> None:
    """A file of one group. JSON is YAML too."""
    file.write_text(json.dumps({"groups": [{"name": "firebreak", "rules": list(rules)}]}))


def failed(files: Sequence[Path]) -> dict[Path, str]:
    """The files of rule tests that fail, and what is found instead of what they expect."""
    # promtool tries one file after the other: two of it use two cores.
    with ThreadPoolExecutor() as pool:
        halves = pool.map(_failed, [half for half in (files[::2], files[1::2]) if half])
    return {file: why for half in halves for file, why in half.items()}


def _failed(files: Sequence[Path]) -> dict[Path, str]:
    done = promtool("test", "rules", *files)
    # A file's name, in the words of version 2 or 3, is followed by its success; a failure goes to the other stream.
    passed = dict(re.findall(r"(?:Unit Testing|Processing test file): +(\S+)\n(  SUCCESS)?", done.stdout))
    assert set(passed) == {str(file) for file in files}, done.stdout + done.stderr
    return {file: done.stderr for file in files if not passed[str(file)]}
