"""Starts hosts and sees to it that nothing of them is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.contract.runtime.host.running import ENTRY, HostProcess, Running, alive, until

Start = Callable[..., Awaitable[Running]]
Shared = Callable[..., Awaitable[Running]]


def settings(
    entrypoint: str, effect: str = "READ", env: dict[str, str] | None = None, **runtime: Any
) -> dict[str, Any]:
    """A service.yaml whose entrypoint picks the probe."""
    return {
        "name": "probe",
        "kind": "tool",
        "version": "1.0.0",
        "entrypoint": f"probe:{entrypoint}",
        "effect": effect,
        "env": env or {},
        "runtime": {"memory": "256MiB", **runtime},
    }


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a host of the test's own; `ready` waits for it, `options` go on its command line, the rest into service.yaml."""
    hosts: list[HostProcess] = []
    clients: list[Running] = []

    async def run(
        entrypoint: str = "plain",
        *,
        ready: bool = True,
        files: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        command: tuple[str, ...] = (str(ENTRY),),
        options: dict[str, Any] | None = None,
        **more: Any,
    ) -> Running:
        hosts.append(HostProcess(settings(entrypoint, **more), files, environment, command, **(options or {})))
        clients.append(Running(hosts[-1]))
        if ready:
            await clients[-1].ready()
        return clients[-1]

    yield run
    for client in clients:
        await client.channel.close()
    below = {pid for host in hosts for pid in host.stop()}
    await until(lambda: not any(map(alive, below)))


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, HostProcess]]:
    """Hosts that tests share, by entrypoint: a host takes every fault that these tests cause without being changed by it."""
    started: dict[str, HostProcess] = {}
    yield started
    for host in started.values():
        host.stop()


@pytest.fixture
async def shared(hosts: dict[str, HostProcess]) -> AsyncIterator[Shared]:
    """A client of a shared host."""
    clients: list[Running] = []

    async def client(entrypoint: str = "plain") -> Running:
        if entrypoint not in hosts:
            hosts[entrypoint] = HostProcess(settings(entrypoint, queue=500))
        clients.append(Running(hosts[entrypoint]))
        await clients[-1].ready()
        return clients[-1]

    yield client
    for each in clients:
        await each.channel.close()
