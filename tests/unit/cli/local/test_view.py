"""One asks the gateway for all who wait, and only while somebody does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cli.local.view import NOTHING, GatewayView, row


class Gateway:
    """Counts how often it is asked; `says` None does not answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: dict[str, Any] | None = {"services": []}

    async def fetch(self) -> dict[str, Any]:
        self.asked += 1
        if self.says is None:
            raise ConnectionRefusedError
        return self.says


@pytest.fixture
async def world() -> AsyncIterator[tuple[Gateway, GatewayView]]:
    gateway = Gateway()
    view = GatewayView(gateway.fetch, pause=0.001)
    running = asyncio.ensure_future(view.run())
    yield gateway, view
    running.cancel()


async def test_it_waits_until_the_report_says_what_is_waited_for(world: tuple[Gateway, GatewayView]) -> None:
    gateway, view = world
    waiting = asyncio.ensure_future(view.until(lambda report: row(report, "x") is not None))
    await view.until(lambda _: gateway.asked >= 3)
    assert not waiting.done()
    gateway.says = {"services": [{"name": "x"}]}
    assert await asyncio.wait_for(waiting, 5.0) == gateway.says


async def test_a_report_from_before_is_not_taken_for_one_of_now(world: tuple[Gateway, GatewayView]) -> None:
    gateway, view = world
    gateway.says = {"services": [{"name": "x"}]}
    await view.until(lambda _: True)
    gateway.says = {"services": [{"name": "y"}]}
    assert row(await view.until(lambda _: True), "y")


async def test_nobody_is_asked_while_nobody_waits(world: tuple[Gateway, GatewayView]) -> None:
    gateway, view = world
    await asyncio.sleep(0.01)
    assert gateway.asked == 0
    await asyncio.gather(view.until(lambda _: True), view.until(lambda _: True))
    asked = gateway.asked
    assert asked == 1
    await asyncio.sleep(0.01)
    assert gateway.asked == asked


async def test_one_that_gave_up_waiting_does_not_count_any_more(world: tuple[Gateway, GatewayView]) -> None:
    gateway, view = world
    waiting = asyncio.ensure_future(view.until(lambda _: False))
    await view.until(lambda _: gateway.asked >= 2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await view.until(lambda _: True)
    asked = gateway.asked
    await asyncio.sleep(0.01)
    assert gateway.asked == asked


async def test_a_gateway_that_does_not_answer_has_no_services(world: tuple[Gateway, GatewayView]) -> None:
    gateway, view = world
    gateway.says = None
    assert await view.until(lambda _: True) is NOTHING
