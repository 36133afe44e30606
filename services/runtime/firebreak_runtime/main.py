"""The command line of a service's host: makes the parts, runs them, and ends them when asked to."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from firebreak_runtime.cause import full_text
from firebreak_runtime.generation import Surroundings
from firebreak_runtime.host import Host
from firebreak_runtime.log import Log
from firebreak_runtime.server import Server
from firebreak_runtime.service_file import ServiceFileError, read_service_file
from firebreak_runtime.zygote_process import LoadFailed

ZYGOTE = (sys.executable, "-I", "-m", "firebreak_runtime.zygote")
GRACE = 10.0
"""Seconds that calls get to finish when the host is asked to end, unless it is told otherwise."""
LULL = 0.5
"""Seconds without a call after which a host that got SIGTERM takes it that nobody sends any more: calls may be on their way
from a gateway that has only just turned to another instance. SIGINT says that there is nobody left to send."""


def main(arguments: Sequence[str], zygote: Sequence[str] = ZYGOTE) -> int:
    """Runs a host until a signal ends it; `zygote` is the command that loads the object. Returns the exit code."""
    options = _options(arguments)
    try:
        service = read_service_file(options.service)
    except ServiceFileError as error:
        print(error, file=sys.stderr)
        return 2
    around = Surroundings(service, options.gateway, options.token_file, zygote)
    log = Log(service.name, time.time)
    return asyncio.run(_check(around, log) if options.check else _serve(around, log, options))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    about = "Serves one agent, tool, model, retriever or embeddings object."
    parser = argparse.ArgumentParser(prog="firebreak_runtime", description=about)
    parser.add_argument("--service", type=Path, required=True, help="folder of service.yaml")
    parser.add_argument("--listen", required=True, help='"unix:PATH" or "host:port"')
    parser.add_argument("--gateway", required=True, help="address of the gateway, for agents")
    parser.add_argument(
        "--token-file", type=Path, required=True, help="file that holds the service's token, for agents"
    )
    parser.add_argument(
        "--grace", type=_seconds, default=GRACE, help="seconds that calls get to finish when the host is asked to end"
    )
    parser.add_argument("--check", action="store_true", help="only load the service and say whether it can be")
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) < float("inf"):
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


async def _check(around: Surroundings, log: Log) -> int:
    try:
        await Host(around, log, lambda _: None).load_once()
    except LoadFailed as error:
        print(f"{around.service.name}: {error}", file=sys.stderr)
        return 1
    print(f"{around.service.name}: can be loaded")
    return 0


async def _serve(around: Surroundings, log: Log, options: argparse.Namespace) -> int:
    server = Server(around.service, log)
    host = Host(around, log, server.set_ready)
    asked = _ends()
    # The zygote comes first: it has to be made before there are threads that a child could inherit locks from.
    running = asyncio.ensure_future(host.run())
    try:
        await asyncio.sleep(0)
        await server.start(host, options.listen)
        log.info("listening", address=options.listen, runtime=version("firebreak-runtime"))
        ending: set[asyncio.Future[Any]] = {running, asked}
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        awaited = asked.done() and asked.result() == signal.SIGTERM
        await server.stop(options.grace, LULL if awaited else 0.0)
    except OSError as error:
        print(f"{around.service.name}: {error}", file=sys.stderr)
        return 1
    finally:
        running.cancel()
        await asyncio.wait({running})
    if running.cancelled():
        return 0
    log.error("bug", text=full_text(running.exception() or AssertionError("the host ended by itself")))
    return 1


def _ends() -> asyncio.Future[int]:
    """The first SIGTERM or SIGINT. A second one ends the process as it is: what it started ends with it."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[int] = loop.create_future()

    def ask(number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        if not asked.done():
            asked.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number)
    return asked
