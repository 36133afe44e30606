"""A new process of a service on trial: looked at as the gateway will look at it, before any call goes there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import grpc.aio

from cli.local.process import Supervised
from gateway.adapters.registry.follower import Follower
from gateway.config import ServiceConfig
from gateway.targets import State, Target

LOOK = 0.05
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
)
MARGIN = 30.0
"""Seconds beside runtime.start_timeout after which a process that said nothing is given up."""


@dataclass(frozen=True)
class Verdict:
    """How a trial ended: the service is ready, or `reason` says why it will not be by waiting."""

    ready: bool
    reason: str = ""


async def trial(
    config: ServiceConfig, address: str, process: Supervised, stale: Callable[[], bool], margin: float = MARGIN
) -> Verdict | None:
    """Waits until the service at `address` is ready or has failed; None when the trial became `stale` first."""
    target = Target(config, address, "")
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        following = asyncio.create_task(Follower(target, channel, LOOK).run())
        try:
            async with asyncio.timeout(config.runtime.start_timeout + margin):
                while not stale():
                    if verdict := _verdict(target, process):
                        return verdict
                    await asyncio.sleep(LOOK)
                return None
        except TimeoutError:
            return Verdict(False, target.reason or "it did not answer in time")
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following


def _verdict(target: Target, process: Supervised) -> Verdict | None:
    if process.restarts:
        return Verdict(False, process.reason)
    match target.state:
        case State.READY:
            return Verdict(True)
        case State.NOT_READY:
            return Verdict(False, target.reason)
        case _:
            return None
