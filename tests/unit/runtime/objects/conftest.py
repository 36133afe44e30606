"""Fixtures of the served objects' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime.objects import load
from firebreak_runtime.served import Served, WorkerEnv
from firebreak_runtime.service_file import ServiceFile

Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Loads an object of tests/unit/runtime/samples.py (or another module) as a service of this kind."""

    def make(name: str, kind: str, *, module: str = "samples", **fields: Any) -> Served:
        entrypoint = f"tests.unit.runtime.{module}:{name}"
        effect = "READ" if kind == "tool" else None
        return load(
            ServiceFile(tmp_path, name.replace("_", "-"), kind, "1.2.3", entrypoint, **{"effect": effect, **fields})
        )

    return make


@pytest.fixture
def worker_env(tmp_path: Path) -> Callable[[Any], WorkerEnv]:
    """The surroundings of a worker whose gateway nobody asks."""

    def make(served: Any) -> WorkerEnv:
        return WorkerEnv("unix:/nowhere", tmp_path / "token", served._service)

    return make
