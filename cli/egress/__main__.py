"""`python -m cli.egress --config FILE --sockets FOLDER`: runs the egress proxy until SIGTERM or SIGINT.

FILE is what `cli.egress_lists` writes: {"services": {NAME: [{"scheme", "host", "port", "below", "private"}, …]}}. The socket of
each service is FOLDER/NAME/egress.sock. With `--grace` it serves on until no connection is open, for so many seconds at most.
The log, one JSON object a line, goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from cli.egress.doors import Doors
from cli.egress.record import written


def say(line: dict[str, object]) -> None:
    """One line of the log. A disk that is full ends nothing."""
    with contextlib.suppress(OSError):
        sys.stderr.write(written(line, datetime.now(UTC)) + "\n")
        sys.stderr.flush()


async def serve(doors: Doors, grace: float) -> None:
    """Returns after SIGTERM or SIGINT, once no connection is open or `grace` seconds are over."""
    serving, asked = asyncio.create_task(doors.run()), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    ending = asyncio.create_task(asked.wait())
    await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
    await doors.quiet(grace)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def seconds(text: str) -> float:
    """A number of seconds, as an option has it. Raises ArgumentTypeError."""
    with contextlib.suppress(ValueError):
        if 0 <= (value := float(text)) < float("inf"):
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m cli.egress", description="The egress proxy of Firebreak's services."
    )
    parser.add_argument("--config", type=Path, required=True, help="which services there are, and where each may go")
    parser.add_argument("--sockets", type=Path, required=True, help="the folder of the services' sockets")
    parser.add_argument("--grace", type=seconds, default=0.0, help="seconds that open connections get at the end")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(Doors(given.config, given.sockets, say), given.grace))


if __name__ == "__main__":
    main()
