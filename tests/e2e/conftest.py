"""One instance with everything shipped serves most tests; those that break things start their own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from firebreak.client import Client

from cli.local.sandbox.walls import clear_cgroups
from tests.contract.policy.opa_server import OpaServer
from tests.e2e.instance import ROOT, Instance

NAMES = ("assistant", "assistant-classic", "calculator", "handbook", "python", "router", "sql", "web-fetch")
SHIPPED = [ROOT / "services" / name for name in NAMES]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for Unix sockets, as pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shipped() -> Iterator[Instance]:
    """Everything that is shipped, with its policies. Tests leave it as they found it."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    instance = Instance(folder, SHIPPED)
    instance.start()
    yield instance
    instance.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def opa_url() -> Iterator[str]:
    """A real OPA server, empty: the gateway brings it its policy."""
    server = OpaServer()
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def client(shipped: Instance) -> Iterator[Client]:
    with shipped.client() as client:
        yield client


@pytest.fixture
def start(short_folder: Path) -> Iterator[Callable[..., Instance]]:
    """Starts a private instance with these service folders and changes of configuration; stopped after the test."""
    running: list[Instance] = []

    def make(services: list[Path], envs: dict[str, Path] | None = None, **changes: Any) -> Instance:
        instance = Instance(short_folder / str(len(running)), services, envs, **changes)
        running.append(instance)
        instance.start()
        return instance

    yield make
    for instance in running:
        instance.stop()
        clear_cgroups(instance.state)  # nothing starts again where one was killed
