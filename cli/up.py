"""`firebreak up`: everything on this machine, in the foreground."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from cli.output import Exit, fail


def up(
    config: Annotated[Path, typer.Option(help="The gateway's configuration.")] = Path("firebreak.yaml"),
    state: Annotated[
        Path | None, typer.Option(help="State folder; default: .firebreak beside the configuration.")
    ] = None,
    envs: Annotated[Path | None, typer.Option(help="Where setup installed the services; default: STATE/envs.")] = None,
) -> None:
    """Start the gateway and every service, and stay until Ctrl-C.

    What changes in the configuration or in a service's folder is taken over while calls go on.

    Example: firebreak up --config firebreak.yaml
    """
    # Imported here: what serves one command stays off the others' start.
    from cli.local.launcher import AlreadyRunning, Launcher, StartFailed
    from cli.local.layout import Layout
    from gateway.adapters.config_files import ConfigError, load

    try:
        loaded = load(config)
    except ConfigError as error:
        fail(str(error), Exit.USAGE)
    folder = (state or config.parent / ".firebreak").resolve()
    layout = Layout(config=config.resolve(), state=folder, envs=(envs or folder / "envs").resolve())
    # Relative paths and sockets are relative to the file, wherever this is started from.
    os.chdir(layout.root)
    try:
        asyncio.run(Launcher(layout, loaded, say=lambda text: print(text, flush=True)).run())
    except AlreadyRunning as error:
        fail(str(error), Exit.FAILED)
    except StartFailed as error:
        fail(f"the gateway cannot start:\n{error}", Exit.USAGE)
