"""What the gateway adds to a call: `python -m bench.gateway`.

One authorized tool call goes through the gateway (token, policy, schema, limits, breaker, metrics, log line) and through the
floor, a bare grpc.aio proxy of bytes, in turns, so that whatever else the machine does falls on both. Client, backend,
floor and gateway are processes of their own. CPU is that of the gateway's and the floor's process.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
from firebreak.v1 import tool_pb2

from bench import cpu
from bench.setting import Setting, free_port, running

METHOD = "/firebreak.v1.ToolService/Call"
REQUEST = tool_pb2.ToolServiceCallRequest(
    call=tool_pb2.ToolCall(target="calculator", args_json=b'{"expression": "1234 * 5678"}')
).SerializeToString()


@dataclass(frozen=True, slots=True)
class Round:
    """One round of calls: microseconds of CPU per call in the process measured, and of each call's whole time."""

    cpu: float
    latencies: tuple[float, ...]

    def quantile(self, share: float) -> float:
        return sorted(self.latencies)[int(share * (len(self.latencies) - 1))]


async def measure(call: Any, pid: int, calls: int, at_once: int, metadata: tuple[tuple[str, str], ...]) -> Round:
    """`calls` calls, `at_once` of them in flight at a time."""
    latencies: list[float] = []

    async def some() -> None:
        while len(latencies) < calls:
            started = time.perf_counter()
            await call(REQUEST, metadata=metadata, timeout=30)
            latencies.append((time.perf_counter() - started) * 1e6)

    before = cpu.seconds(pid)
    await asyncio.gather(*(some() for _ in range(at_once)))
    return Round((cpu.seconds(pid) - before) / len(latencies) * 1e6, tuple(latencies))


async def compare(setting: Setting, rounds: int, calls: int, at_once: int) -> tuple[list[Round], list[Round]]:
    """Rounds of the floor and of the gateway, in turns; the first of each warms up and is dropped."""
    metadata = (("authorization", f"Bearer {setting.token}"),)
    measured: tuple[list[Round], list[Round]] = ([], [])
    async with (
        grpc.aio.insecure_channel(setting.address("floor")) as floor,
        grpc.aio.insecure_channel(setting.address("gateway")) as gateway,
    ):
        subjects = ((floor.unary_unary(METHOD), setting.floor), (gateway.unary_unary(METHOD), setting.gateway))
        for _ in range(rounds + 1):
            for (call, pid), found in zip(subjects, measured, strict=True):
                found.append(await measure(call, pid, calls, at_once, metadata))
    return measured[0][1:], measured[1][1:]


def report(title: str, floor: list[Round], gateway: list[Round]) -> None:
    """Medians over the rounds, in microseconds, and the ratio of gateway to floor."""
    print(f"\n{title}")
    print(f"{'':12}{'floor':>10}{'gateway':>10}{'added':>10}{'ratio':>8}")
    rows = {
        "CPU/call": ([each.cpu for each in floor], [each.cpu for each in gateway]),
        "p50": ([each.quantile(0.5) for each in floor], [each.quantile(0.5) for each in gateway]),
        "p99": ([each.quantile(0.99) for each in floor], [each.quantile(0.99) for each in gateway]),
    }
    for name, (low, high) in rows.items():
        a, b = statistics.median(low), statistics.median(high)
        print(f"{name:12}{a:>8.0f}µs{b:>8.0f}µs{b - a:>8.0f}µs{b / a:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=400, help="calls in a round")
    parser.add_argument(
        "--journal", choices=("none", "best-effort", "required"), default="best-effort", help="its mode"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="fb-") as folder,
        running(Path(folder), free_port(), options.journal) as setting,
    ):
        for at_once in (1, 16):
            title = f"{at_once} at once, {options.rounds} rounds of {options.calls} calls each, medians"
            report(title, *asyncio.run(compare(setting, options.rounds, options.calls, at_once)))


if __name__ == "__main__":
    main()
