"""The configuration in force: followed while it is edited, never replaced by a wrong one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel

from gateway.adapters.config_files import ConfigError, Loaded, load
from gateway.adapters.config_files.seen import Stamp
from gateway.adapters.registry import Registry
from gateway.adapters.tls import TlsError
from gateway.adapters.tls.services import ServiceFiles
from gateway.config import GatewayConfig, ServiceTls
from gateway.ports import Clock
from gateway.targets import Secured, Target

_log = structlog.get_logger("firebreak.configuration")

_STILL = 0.05
"""Seconds for which changed files must be still, so that none is read while it is being written."""

_LIVE = frozenset({"services", "routes"})
"""What a running gateway puts into force; all else of the main file waits for a restart."""

Sockets = Mapping[str, str]
"""The real path that each address of a unix socket leads to."""

Secrets = Mapping[ServiceTls, Secured]
"""What the files of services' TLS say."""


class Reload:
    """Follows the configuration's files, the links that services' sockets may be, and the files of services' TLS.

    What changed of services and routes is put into force when every file has been found right, anything else is named by
    `report` and waits for a restart. A configuration with an error changes nothing. A link that leads to another socket is a
    new instance of its service, even if no file changed, and so is one that is reached by other certificates.
    """

    def __init__(
        self, loaded: Loaded, registry: Registry, asked: asyncio.Event, wall: Clock, interval: float = 0.25
    ) -> None:
        """`registry` has the `targets` of `loaded`. `asked` is set by whoever wants the files read now; `wall` is Unix time.

        Raises TlsError where the files of a service's TLS are of no use.
        """
        self._path = _shown(loaded.path)
        self._at_start = loaded.config
        self._loaded = loaded
        self._registry = registry
        self._asked = asked
        self._wall = wall
        self._interval = interval
        self._revision = loaded.revision
        self._since = wall()
        self._seen = loaded.seen
        self._last: Mapping[Path, Stamp] = loaded.seen.stamps
        self._sockets = _led({target.address: target.socket for target in registry.all()})
        self._files = ServiceFiles(loaded.root)
        self._secrets = self._files.read(_tls(loaded))
        self._changed = False
        self._taken = self._failed = 0
        self._error = ""
        self._needs_restart: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """For /status, a JSON object. `reloads` counts the times that the files were read anew, `failed` those in vain."""
        return {
            "revision": self._revision,
            "loaded": datetime.fromtimestamp(self._since, UTC).isoformat(timespec="milliseconds"),
            "reloads": self._taken + self._failed,
            "failed": self._failed,
            "error": self._error,
            "needs_restart": list(self._needs_restart),
            "draining": [
                {"name": target.name, "address": target.address, "socket": target.socket, "calls": target.calls}
                for target in self._registry.leaving
            ],
        }

    async def run(self) -> None:
        """Follows files and links until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STILL if self._changed else self._interval):
                    await self._asked.wait()
            await self.poll()

    async def poll(self) -> None:
        """Looks at files and links once; never raises."""
        try:
            files, sockets = await asyncio.to_thread(self._look)
            if self._is_time(files):
                await self._reload()
            elif sockets != self._sockets:
                self._sockets = sockets
                self._put(self._loaded)
        except Exception as error:
            _log.exception("following the configuration failed")
            self._reject(f"reading the configuration failed ({type(error).__name__}); the gateway's log says why")

    def _look(self) -> tuple[Mapping[Path, Stamp], Sockets]:
        return self._seen.now(), _led(self._sockets)

    def _is_time(self, files: Mapping[Path, Stamp]) -> bool:
        """Whether to read: at once when asked, else when what changed has become still."""
        asked = self._asked.is_set()
        self._asked.clear()
        if files != self._last:
            self._last, self._changed = files, True
            return asked
        return self._changed or asked

    async def _reload(self) -> None:
        self._changed = False
        try:
            loaded = await asyncio.to_thread(load, self._path)
        except ConfigError as error:
            self._seen, self._last = error.seen, error.seen.stamps
            if await asyncio.to_thread(self._seen.now) != self._last:
                self._changed = True  # edited while they were read: wait until they are still again
                return
            self._reject(str(error))
            return
        self._seen, self._last = loaded.seen, loaded.seen.stamps
        try:
            self._secrets = await asyncio.to_thread(self._files.read, _tls(loaded))
        except TlsError as error:
            self._reject(str(error))
            return
        self._accept(loaded)

    def _accept(self, loaded: Loaded) -> None:
        before, self._revision, self._error = self._revision, loaded.revision, ""
        self._loaded = loaded
        self._taken += 1
        waiting, self._needs_restart = self._needs_restart, tuple(_differing(self._at_start, loaded.config))
        self._put(loaded)
        if self._revision != before:
            self._since = self._wall()
        if self._needs_restart and self._needs_restart != waiting:
            _log.warning("configuration needs a restart", changed=list(self._needs_restart))

    def _put(self, loaded: Loaded) -> None:
        made = targets(loaded, self._sockets, self._secrets)
        self._sockets = {target.address: target.socket for target in made}
        changes = self._registry.put(made)
        if any((changes.added, changes.changed, changes.removed)):
            _log.info(
                "configuration in force",
                revision=self._revision,
                added=list(changes.added),
                changed=list(changes.changed),
                removed=list(changes.removed),
            )

    def _reject(self, error: str) -> None:
        self._failed += 1
        if error != self._error:
            _log.error("configuration rejected, the old one stays in force", error=error)
        self._error = error


def targets(loaded: Loaded, sockets: Sockets | None = None, secrets: Secrets | None = None) -> list[Target]:
    """A target for each service and route, whose sockets are where their addresses lead now, or led as `sockets` has it.

    Files of services' TLS are read where `secrets` does not say what is in them; raises TlsError.
    """
    if secrets is None:
        secrets = ServiceFiles(loaded.root).read(_tls(loaded))
    services = [
        Target(config, entry.address, entry.identity, secured=secrets[entry.tls] if entry.tls else None)
        for entry, config in loaded.services
    ]
    routes = [Target(config, config.address, "", routed=service) for config, service in loaded.routes]
    made = [*services, *routes]
    for target in made:
        target.socket = _real(target.address, (sockets or {}).get(target.address, ""))
    return made


def _tls(loaded: Loaded) -> Iterable[ServiceTls]:
    return (entry.tls for entry, _ in loaded.services if entry.tls is not None)


def _led(sockets: Sockets) -> Sockets:
    return {address: _real(address, before) for address, before in sockets.items()}


def _real(address: str, before: str) -> str:
    """Where `address` leads, `before` while there is nothing at all: a link that is gone says nothing of a new instance."""
    if not address.startswith("unix:"):
        return ""
    path = address.removeprefix("unix:")
    return before if before and not os.path.lexists(path) else os.path.realpath(path)


def _shown(path: Path) -> Path:
    """As people would write it from here, which is how problems name it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _differing(one: GatewayConfig, other: GatewayConfig) -> Iterable[str]:
    """The keys, as people write them, that a running gateway cannot change."""
    return (name for name in _keys(one, other, "") if name.partition(".")[0] not in _LIVE)


def _keys(one: BaseModel, other: BaseModel, prefix: str) -> Iterator[str]:
    for name in type(one).model_fields:
        here, there = getattr(one, name), getattr(other, name)
        if isinstance(here, BaseModel) and isinstance(there, BaseModel):
            yield from _keys(here, there, f"{prefix}{name}.")
        elif here != there:
            yield f"{prefix}{name}"
