"""However the gateway's life ends, the journal is closed, and only after the last call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.lifecycle import run
from gateway.running import Running


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _at_once() -> None:
    """Nothing to wait for."""


def parts(told: list[str], **replaced: Callable[[], Awaitable[None]]) -> Any:
    """All of a gateway's parts, of which `told` learns what matters here."""

    def tells(what: str) -> Callable[..., None]:
        return lambda *_: told.append(what)

    async def stop(grace: float) -> None:
        told.append("listener stopped")

    names = ("policy", "identity", "registry", "proof", "configuration", "admin", "quotas")
    runs = {name: replaced.get(name, _for_ever) for name in names}
    return SimpleNamespace(
        policy=SimpleNamespace(run=runs["policy"], close=_at_once),
        identity=SimpleNamespace(run=runs["identity"]),
        registry=SimpleNamespace(run=lambda _prover: runs["registry"]()),
        prober=None,
        guard=SimpleNamespace(run=runs["proof"]),
        reload=SimpleNamespace(run=runs["configuration"]),
        upstream=SimpleNamespace(close=_at_once),
        public=SimpleNamespace(start=replaced.get("start", _at_once), drain=_at_once),
        servers=(SimpleNamespace(server=SimpleNamespace(start=_at_once), stop=stop),),
        admin=SimpleNamespace(run=runs["admin"], stop=lambda: None),
        record=SimpleNamespace(close=tells("record closed")),
        journal=SimpleNamespace(start=tells("journal started"), close=tells("journal closed")),
        progress=SimpleNamespace(running=Running(), listening=False, draining=False),
        quotas=SimpleNamespace(run=runs["quotas"], close=_at_once),
    )


ALL = ["journal started", "listener stopped", "journal closed", "record closed"]


async def test_the_journal_is_closed_after_the_listeners_and_before_the_log() -> None:
    told, stop = list[str](), asyncio.Event()
    stop.set()
    assert await run(parts(told), stop, 1.0)
    assert told == ALL


async def test_the_journal_is_closed_when_a_part_ends_by_itself() -> None:
    async def fails() -> None:
        raise RuntimeError("policy is gone")

    told: list[str] = []
    assert not await run(parts(told, policy=fails), asyncio.Event(), 1.0)
    assert told == ALL


async def test_the_journal_is_closed_when_the_gateway_cannot_listen() -> None:
    async def fails() -> None:
        raise OSError("address in use")

    told: list[str] = []
    with pytest.raises(OSError, match="address in use"):
        await run(parts(told, start=fails), asyncio.Event(), 1.0)
    assert told == ["journal started", "journal closed", "record closed"]


async def test_a_part_that_does_not_heed_its_end_is_told_and_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.lifecycle._FAREWELL", 0.05)
    over = asyncio.Event()

    async def stubborn() -> None:
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    told, stop = list[str](), asyncio.Event()
    stop.set()
    async with asyncio.timeout(10):
        assert await run(parts(told, registry=stubborn), stop, 1.0)
    over.set()
    assert told == ALL
    assert "registry did not end in time" in caplog.text
