"""The same tests on both engines: in process, and in a real OPA."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gateway.adapters.policy.reload import LivePolicy, make_policy
from gateway.config import Policy
from tests.contract.policy.opa_server import OpaServer, find_opa

Start = Callable[[Path], Awaitable[LivePolicy]]
"""Puts a folder in force on the engine under test."""


@pytest.fixture(scope="session")
def opa() -> str:
    """Path of the real OPA."""
    return find_opa()


@pytest.fixture(scope="session")
def opa_server() -> Iterator[OpaServer]:
    """An OPA that many tests share: each keeps its policy below a name of its own."""
    with OpaServer() as server:
        yield server


@pytest.fixture
def own_opa() -> Iterator[OpaServer]:
    """An OPA for one test, which may do with it what it likes."""
    with OpaServer() as server:
        yield server


@pytest.fixture(params=["embedded", "opa"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config(engine: str, request: pytest.FixtureRequest) -> Policy:
    """The engine's configuration; patient, because a busy machine is no failure."""
    settings: dict[str, object] = {"engine": engine, "path": "policies", "timeout": "10s"}
    if engine == "opa":
        settings["opa"] = {"url": request.getfixturevalue("opa_server").url}
    return Policy.model_validate(settings)


@pytest.fixture
async def start(config: Policy) -> AsyncIterator[Start]:
    """Starts policies and closes them when the test has ended."""
    started: list[LivePolicy] = []

    async def begin(folder: Path) -> LivePolicy:
        policy = make_policy(config.model_copy(update={"path": str(folder)}), folder, time.monotonic)
        started.append(policy)
        await policy.start()
        return policy

    yield begin
    for policy in started:
        await policy.close()
