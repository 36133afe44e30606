"""Neighbours: a process of its own that calls a healthy service at a fixed rate and writes down what came of each call.

The load is open: a call is sent when its time has come, whether the ones before were answered or not, and its latency counts
from that time on. So a stall shows in every call that it held up, not in one. What fell due while this process itself stood
still is sent a little apart: all at once it would be a crowd, which a gateway is right to turn away.
`python -m cli.gameday.load --help`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import IO

import grpc.aio
from firebreak.client.errors import from_rpc_error
from firebreak.client.payload import tool_call
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from cli.gameday.calls import CALL_ID, headers, new_trace

RATE = 40.0
"""Calls a second."""
CATCH_UP = 4.0
"""How many times the rate calls are sent at most."""
TIMEOUT = 5.0
MOST_IN_FLIGHT = 200
"""As many as fall due in TIMEOUT seconds: more cannot be waiting for an answer."""


class Load:
    """Calls `target` with `args` until `stop`; one JSON object a call goes to `out`, when the call has ended."""

    def __init__(self, address: str, token_file: Path, target: str, args: str, out: IO[str]) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._stub = tool_pb2_grpc.ToolServiceStub(self._channel)
        self._token_file = token_file
        self._request = tool_pb2.ToolServiceCallRequest(call=tool_call(target, args, ""))
        self._out = out
        self._places = asyncio.Semaphore(MOST_IN_FLIGHT)
        self.stop = asyncio.Event()

    async def run(self, rate: float) -> None:
        """Returns when `stop` is set, or whoever started this process is gone, and every call has ended."""
        started, number, parent = time.monotonic(), 0, os.getppid()
        earliest = started
        async with asyncio.TaskGroup() as calls:
            while not self.stop.is_set() and os.getppid() == parent:
                due = started + number / rate
                await asyncio.sleep(max(0.0, max(due, earliest) - time.monotonic()))
                await self._places.acquire()
                earliest = time.monotonic() + 1 / (CATCH_UP * rate)
                calls.create_task(self._call(number, due))
                number += 1
        await self._channel.close()

    async def _call(self, number: int, due: float) -> None:
        trace = new_trace()
        told = {"number": number, "at": due, "trace": trace, "code": "OK"}
        rpc = self._stub.Call(self._request, timeout=TIMEOUT, metadata=headers(self._token_file, trace))
        try:
            result = (await rpc).result
            told["code"] = "OK" if result.status == tool_pb2.TOOL_STATUS_OK else "TOOL_ERROR"
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            told |= {"code": failure.code, "reason": failure.reason}
        finally:
            self._places.release()
        told["ms"] = round((time.monotonic() - due) * 1000, 3)
        told["call_id"] = next((str(value) for key, value in await rpc.trailing_metadata() or () if key == CALL_ID), "")
        self._out.write(json.dumps(told) + "\n")
        self._out.flush()


async def serve(options: argparse.Namespace) -> None:
    with options.out.open("w") as out:
        load = Load(options.address, options.token_file, options.target, options.args, out)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, load.stop.set)
        await load.run(options.rate)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cli.gameday.load", description="Calls a tool at a fixed rate.")
    parser.add_argument("--address", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--target", default="calculator")
    parser.add_argument("--args", default='{"expression": "6 * 7"}')
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--out", type=Path, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
