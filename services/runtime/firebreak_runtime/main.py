"""A service's host: makes the parts, runs them, and ends them when asked to."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from firebreak_runtime import process
from firebreak_runtime.cause import full_text
from firebreak_runtime.egress import Forwarder, listening
from firebreak_runtime.enclose import CannotEnclose, Plan, enclose
from firebreak_runtime.generation import Surroundings
from firebreak_runtime.host import Host
from firebreak_runtime.log import Log
from firebreak_runtime.options import read_options
from firebreak_runtime.prove import Prover
from firebreak_runtime.self_test_process import SelfTest
from firebreak_runtime.served import GatewayTls
from firebreak_runtime.server import Server
from firebreak_runtime.service_file import ServiceFile, ServiceFileError, read_service_file
from firebreak_runtime.tls import ListenerTls
from firebreak_runtime.walls import NOT_ENCLOSED, Walls, found_untrue, path_of, port_of, walls
from firebreak_runtime.zygote_process import LoadFailed

ZYGOTE = (sys.executable, "-I", "-m", "firebreak_runtime.zygote")
WRONG_FILE, NOT_ENCLOSABLE = 2, 3
"""Exit codes: service.yaml is wrong; a wall is required and cannot be had."""
LULL = 0.5
"""Seconds without a call after which a host that got SIGTERM takes it that nobody sends any more: calls may be on their way
from a gateway that has only just turned to another instance. SIGINT says that there is nobody left to send."""


def main(arguments: Sequence[str], zygote: Sequence[str] = ZYGOTE) -> int:
    """Runs a host until a signal ends it; `zygote` is the command that loads the object. Returns the exit code."""
    options = read_options(arguments)
    try:
        service = read_service_file(options.service)
    except ServiceFileError as error:
        print(error, file=sys.stderr)
        return WRONG_FILE
    try:
        way_out = listening() if options.egress else None  # before the walls: they leave this one port
        built = _build_walls(options, service, way_out)
    except (CannotEnclose, OSError) as error:
        print(f"{service.name}: {error}", file=sys.stderr)
        return NOT_ENCLOSABLE
    around = _surroundings(options, service, zygote, built, way_out)
    log = Log(service.name, time.time)
    if options.check:
        return asyncio.run(_check(around, log))
    server = Server(service, log, options.health)
    return asyncio.run(_serve(around, built, Forwarder(way_out, path_of(options.egress)), server, log, options.grace))


def _build_walls(options: argparse.Namespace, service: ServiceFile, way_out: socket.socket | None) -> Walls:
    """Before anything else is started, a thread too. Raises CannotEnclose."""
    untrue = found_untrue(options.promise)
    listens = path_of(options.listen)
    plan = Plan(
        readable=tuple(options.readable) or ("/",),
        writable=tuple(options.writable),
        sockets=(str(Path(listens).parent),) if listens else (),
        processes=service.processes,
        ports=_ports(options.gateway, _port(way_out), *options.port),
        listens=_ports(options.listen, options.health),
        required=options.enclose == "required",
    )
    enclosed = NOT_ENCLOSED if options.enclose == "none" else enclose(plan)
    return walls(options.promise, enclosed, untrue, proxied=options.network_policy and bool(options.egress))


def _surroundings(
    options: argparse.Namespace,
    service: ServiceFile,
    zygote: Sequence[str],
    built: Walls,
    way_out: socket.socket | None,
) -> Surroundings:
    return Surroundings(
        service,
        options.gateway,
        options.token_file,
        zygote,
        listen=options.listen,
        egress=options.egress,
        proxy=_port(way_out),
        secrets=options.secrets,
        writable=tuple(options.writable) if "landlock" in built.own else (),
        tls=ListenerTls(options.tls_certificate, options.tls_key, options.tls_client_ca) if options.tls_key else None,
        gateway_tls=_gateway_tls(options),
        reads=tuple(options.reads),
        platform=tuple(options.variable),
        network_policy=options.network_policy,
        workers_group=options.workers_group,
        processes=service.processes_of_workers if built.counted else 0,
    )


def _gateway_tls(options: argparse.Namespace) -> GatewayTls | None:
    if options.gateway_ca is None:
        return None
    return GatewayTls(options.gateway_ca, options.tls_certificate, options.tls_key)


def _ports(*doors: str | int) -> tuple[int, ...]:
    """Those of the doors that are TCP ports, or have one: none where all are sockets of this machine."""
    ports = (port_of(door) if isinstance(door, str) else door for door in doors if door)
    return tuple(sorted({port for port in ports if port}))


def _port(way_out: socket.socket | None) -> int:
    return int(way_out.getsockname()[1]) if way_out else 0


async def _check(around: Surroundings, log: Log) -> int:
    try:
        await Host(around, log, lambda _: None).load_once()
    except LoadFailed as error:
        print(f"{around.service.name}: {error}", file=sys.stderr)
        return 1
    print(f"{around.service.name}: can be loaded")
    return 0


async def _serve(
    around: Surroundings, built: Walls, forwarder: Forwarder, server: Server, log: Log, grace: float
) -> int:
    host = Host(around, log, server.set_ready)
    self_test = SelfTest(around.variables(os.environ), host.spared)
    prover = Prover(around, built, self_test, log, time.monotonic)
    asked = _ends()
    log.info("walls", claimed=sorted(built.claimed), missing=dict(built.missing), untrue=dict(built.untrue))
    # The zygote comes first: it has to be made before there are threads that a child could inherit locks from.
    running = asyncio.ensure_future(host.run())
    forwarding = asyncio.ensure_future(forwarder.run())
    try:
        await asyncio.sleep(0)
        await server.start(host, prover, around.listen, around.tls)
        log.info("listening", address=around.listen, runtime=version("firebreak-runtime"))
        ending: set[asyncio.Future[Any]] = {running, asked}
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        awaited = asked.done() and asked.result() == signal.SIGTERM
        await server.stop(grace, LULL if awaited else 0.0)
    except OSError as error:
        print(f"{around.service.name}: {error}", file=sys.stderr)
        return 1
    finally:
        running.cancel()
        forwarding.cancel()
        await asyncio.wait({running, forwarding})
    if running.cancelled():
        return 0
    log.error("bug", text=full_text(running.exception() or AssertionError("the host ended by itself")))
    return 1


def _ends() -> asyncio.Future[int]:
    """The first SIGTERM or SIGINT. A second one ends the process as it is: what it started ends with it."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[int] = loop.create_future()

    def ask(number: int) -> None:
        process.end_on_signals(number)
        if not asked.done():
            asked.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number)
    return asked
