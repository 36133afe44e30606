"""A process of the day that takes a service's place at its socket, as a new instance of the service would."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.gameday.scene import Scene

START = 20.0
"""Seconds within which it must serve."""


@asynccontextmanager
async def impostor(scene: Scene, service: str, program: Path) -> AsyncIterator[None]:
    """`program`, given a socket's path, serves the calls of `service` meanwhile; its own process is idle and has them again
    afterwards. The program says "serving" when it is, and ends when its standard input does."""
    link = scene.instance.state / "run" / f"{service}.sock"
    own, before = link.with_name(f"{service}.impostor.sock"), link.readlink()
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "10", sys.executable, program, own),  # its start is no part of the fault
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), START)
        assert said == b"serving\n", f"{program.name} did not start"
        await _turn(scene, service, link, Path(own.name))
        yield
    finally:
        await _turn(scene, service, link, before)
        process.kill()
        await process.wait()
        own.unlink(missing_ok=True)


async def _turn(scene: Scene, service: str, link: Path, to: Path) -> None:
    """Makes the service's address lead to another socket in one step, and waits until the gateway has turned there too."""
    draft = link.with_name(f".{service}.{time.monotonic_ns()}")
    draft.symlink_to(to)
    draft.replace(link)
    socket = os.path.realpath(link)  # noqa: ASYNC240 - two looks at a local folder
    await scene.until(lambda: scene.instance.service(service)["socket"] == socket, START, f"{service} is {to.name}")
