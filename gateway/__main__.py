"""`python -m gateway --config firebreak.yaml`: the gateway process. With --check it only says what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.adapters.config_files import ConfigError, Loaded, load

_SWITCH = 0.0005
"""Seconds after which a thread that computes lets the event loop on: the usual 5 ms, at each of a call's many wakings, make
calls late for as long as a new policy is read or the journal is busy."""

WRONG_CONFIGURATION = 2
FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 after a clean end, 1 after a failure, 2 where the configuration is wrong."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Runs the Firebreak gateway.")
    parser.add_argument("--config", type=Path, default=Path("firebreak.yaml"), help="the gateway's YAML file")
    parser.add_argument("--check", action="store_true", help="say what is wrong with the configuration, then end")
    options = parser.parse_args(arguments)
    try:
        loaded = load(options.config)
        # Relative paths and sockets are relative to the file, wherever the gateway is started from.
        os.chdir(loaded.root)
        if options.check:
            return check(loaded)
        return asyncio.run(serve(loaded))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_CONFIGURATION
    except KeyboardInterrupt:
        return FAILED


def check(loaded: Loaded) -> int:
    """What can be wrong without starting anything: named files and certificates. Raises ConfigError."""
    from gateway.assembly import certificates

    if problems := loaded.missing_files():
        raise ConfigError(problems)
    certificates(loaded)
    routes = f"{len(loaded.routes)} routes, " if loaded.routes else ""
    services, listeners = len(loaded.services), len(loaded.config.listeners)
    print(f"the configuration is right: {services} services, {routes}{listeners} listeners")
    return 0


async def serve(loaded: Loaded) -> int:
    """Runs the gateway until SIGTERM or SIGINT; the same signal a second time kills it.

    SIGHUP reads the configuration anew, as a change of its files does.
    """
    from gateway.adapters.telemetry.lines import LineWriter
    from gateway.adapters.telemetry.log import configure
    from gateway.assembly import assemble
    from gateway.lifecycle import run
    from gateway.memory import keep_little

    keep_little()
    sys.setswitchinterval(_SWITCH)
    stop, again = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _on(number, stop))
    lines = LineWriter(_write)
    configure(loaded.config.telemetry.log, lines.line)
    try:
        parts = await assemble(loaded, lines, again)
        return 0 if await run(parts, stop, loaded.config.drain) else FAILED
    finally:
        lines.close()


def _on(number: signal.Signals, stop: asyncio.Event) -> Callable[[], None]:
    seen = False

    def received() -> None:
        nonlocal seen
        if seen:
            os._exit(128 + number)
        seen = True
        stop.set()

    return received


def _write(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
