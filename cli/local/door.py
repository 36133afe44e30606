"""The gateway's socket for services. Their sandboxes show the folder of it: the socket itself is made anew at each start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cli.local.layout import Layout
from cli.local.sockets import UNIX
from gateway.adapters.config_files import Loaded

EXAMPLE = "unix:.firebreak/run/gateway/gateway.sock"


def shared(layout: Layout, loaded: Loaded, door: str) -> str:
    """Why the folder of the gateway's socket cannot be shown to services, or "": nothing else that is configured is in it."""
    folder = (layout.root / door.removeprefix(UNIX)).resolve().parent
    for what, path in _configured(layout, loaded, door):
        if path.resolve().is_relative_to(folder):
            return (
                f"the folder of the listener {door} holds {what} too, and services would reach that: give the listener a "
                f"folder of its own, e.g. {EXAMPLE}"
            )
    return ""


def _configured(layout: Layout, loaded: Loaded, door: str) -> Iterator[tuple[str, Path]]:
    """What there is beside the door, in words, and where."""
    config, root = loaded.config, layout.root
    yield "the configuration", layout.config
    yield "the state folder", layout.state
    for folder in (layout.run, layout.logs, layout.secrets, layout.egress, layout.state / "identity"):
        yield folder.name, folder
    yield "the services' environments", layout.envs
    yield "session keys", root / config.identity.session_keys
    yield "policies", root / config.policy.path
    if config.journal.path:
        yield "the journal", root / config.journal.path
    addresses = [("another listener", listener.address) for listener in config.listeners if listener.address != door]
    addresses += [(f"the socket of {service.name}", entry.address) for entry, service in loaded.services]
    for what, address in addresses:
        if address.startswith(UNIX):
            yield what, root / address.removeprefix(UNIX)
    for entry, service in loaded.services:
        yield service.name, root / entry.path
    for listener in config.listeners:
        if listener.tls is not None:
            yield "keys", root / listener.tls.key
