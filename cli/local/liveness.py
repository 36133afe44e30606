"""Ends a process that is there and answers nothing any more, so that it is started again.

A host can be wedged from within: where foreign code takes every process that the service may have, gRPC finds no thread when it
needs one, and waits for it for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.local.process import Supervised

LOOK, PATIENCE = 3.0, 5.0
"""Seconds between two looks, and for an answer: a busy machine is no wedged host."""
MISSED = 2
"""Looks in a row without an answer after which it is ended."""
_SILENT = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


async def watch(
    address: str, process: Supervised, say: Callable[[str], None], look: float = LOOK, patience: float = PATIENCE
) -> None:
    """Until it is cancelled. Whatever is answered will do; a process that has not answered yet is given its time to start."""
    known, missed = None, 0
    async with grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while True:
            await asyncio.sleep(look)
            pid = process.pid
            if await _answers(health, patience):
                known, missed = pid, 0
                continue
            missed = missed + 1 if pid is not None and pid == known else 0
            if missed >= MISSED:
                say(f"{process.command.name}: it answers nothing any more and is started again")
                process.renew()
                known, missed = None, 0


async def _answers(health: health_pb2_grpc.HealthStub, patience: float) -> bool:
    try:
        await health.Check(health_pb2.HealthCheckRequest(), timeout=patience)
    except grpc.aio.AioRpcError as error:
        return error.code() not in _SILENT
    return True
