"""Where the things of one process are: made where they are missing, and looked at before they are shown to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cli.local.layout import Layout
from cli.local.private_files import make_private_folder
from cli.local.sandbox.mounts import Place
from cli.local.sandbox.python_home import python_folders
from cli.local.sockets import UNIX
from gateway.config import ServiceConfig


def place(layout: Layout, path: str, config: ServiceConfig, own: str, door: str, token: Path, env: Path) -> Place:
    """`path` is the service's folder as configured, `own` and `door` are addresses. Raises ValueError, OSError."""
    check_reads(map(Path, config.reads), layout.state)
    folders = {"secrets": layout.secrets / config.name, "home": layout.home / config.name}
    if config.egress:
        folders["egress"] = layout.egress / config.name
    for folder in folders.values():
        make_private_folder(folder)
    return Place(
        root=layout.root,
        state=layout.state,
        service=(layout.root / path).resolve(),
        env=env.resolve(),
        python=python_folders(env.resolve()),
        listen=own,
        own=_socket(layout, own).parent if own.startswith(UNIX) else None,
        door=_socket(layout, door),
        token=token,
        secrets=folders["secrets"],
        egress=folders.get("egress"),
        home=folders["home"],
    )


def check_reads(reads: Iterable[Path], state: Path) -> None:
    """Raises ValueError for what is not there, or must not be shown to any service."""
    for path in reads:
        if not path.exists():
            raise ValueError(f"reads: {path} is not there")
        if path.is_socket():
            raise ValueError(f"reads: {path} is a socket: a service reaches others through the gateway only")
        if path.resolve().is_relative_to(state):
            raise ValueError(f"reads: {path} is in {state}, where Firebreak keeps its keys")


def _socket(layout: Layout, address: str) -> Path:
    path = layout.root / address.removeprefix(UNIX)
    return path.parent.resolve() / path.name
