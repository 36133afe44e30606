"""Channels to the gateway: one for sync callers, and one for each event loop, to which a grpc.aio channel belongs."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from firebreak_runtime import pem

if TYPE_CHECKING:
    from firebreak.client import Tls

_OPTIONS = (
    # Only calls that the gateway has never seen, such as those that cross the end of a connection, are sent again: it retries
    # all others itself, from a budget. So no configuration of a name server may ask for more.
    ("grpc.enable_retries", 1),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),  # a restarted gateway is found again within a second, not twenty
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),  # the proxy of a service with egress leads elsewhere
    ("grpc.max_receive_message_length", -1),  # the gateway bounds what comes back
    ("grpc.max_send_message_length", -1),
)
PLAINTEXT = "plaintext:"
"""Before a "host:port" beyond this machine to which calls and their tokens go in the clear, because somebody wants it so."""
_log = logging.getLogger(__name__)


class NoCertificates(Exception):
    """The files for the way to the gateway cannot be used, and never could; the text says which or why."""


@dataclass
class _Open:
    """A channel, the certificates' stamp that it was last compared with, the calls on it, and whether it takes no more."""

    channel: Any
    stamp: pem.Stamp | None
    calls: int = 0
    left: bool = False

    @property
    def over(self) -> bool:
        return self.left and not self.calls


class Channels:
    """Gives channels to `address`, secured by the files of `tls`, if any.

    Certificates are renewed while a worker runs, and a channel keeps those that it was made with. So before each call the
    files are looked at: where they changed a new channel takes over, and the old one is closed with the last call on it. Files
    that make no sense now, such as half of a rotation, leave it in use.
    """

    def __init__(self, address: str, tls: Tls | None) -> None:
        self._address = address
        self._tls = tls
        self._lock = threading.Lock()
        self._sync: _Open | None = None
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Open] = weakref.WeakKeyDictionary()

    @contextmanager
    def sync(self) -> Iterator[grpc.Channel]:
        """The channel for one call of a sync caller. Raises NoCertificates."""
        with self._lock:
            old, mine = self._sync, self._present(grpc, self._sync)
            self._sync = mine
            mine.calls += 1
        if old is not None and old.over:
            old.channel.close()
        try:
            yield mine.channel
        finally:
            with self._lock:
                mine.calls -= 1
            if mine.over:
                mine.channel.close()

    @asynccontextmanager
    async def of_loop(self) -> AsyncIterator[grpc.aio.Channel]:
        """As `sync`, for one call on the running event loop."""
        loop = asyncio.get_running_loop()
        old = self._by_loop.get(loop)
        mine = self._by_loop[loop] = self._present(grpc.aio, old)
        mine.calls += 1
        try:
            if old is not None and old.over:
                await old.channel.close()
            yield mine.channel
        finally:
            mine.calls -= 1
            if mine.over:
                await mine.channel.close()

    def close(self) -> None:
        """Closes the sync callers' channel."""
        with self._lock:
            mine, self._sync = self._sync, None
        if mine is not None:
            mine.channel.close()

    async def aclose(self) -> None:
        """Closes the channel of the running event loop."""
        mine = self._by_loop.pop(asyncio.get_running_loop(), None)
        if mine is not None:
            await mine.channel.close()

    def _present(self, module: Any, known: _Open | None) -> _Open:
        """The channel that calls go to from now on. Raises NoCertificates."""
        if self._tls is None:
            return known or _Open(self._made(module), None)
        stamp = self._stamp()
        if known is not None and stamp == known.stamp:
            return known
        try:
            pem.check(self._tls.ca, self._tls.certificate, self._tls.key)
            made = _Open(self._made(module), stamp)
        except OSError as error:
            if known is None:
                raise NoCertificates(f"no connection can be secured: {pem.in_words(error)}") from None
            _log.warning("the certificates in use stay: %s", pem.in_words(error))
            known.stamp = stamp  # said once
            return known
        if known is not None:
            known.left = True
        return made

    def _stamp(self) -> pem.Stamp | None:
        """None while a file is missing. Taken before reading: files that change in between are read once more."""
        try:
            return pem.stamp_of(_files(self._tls))
        except OSError:
            return None

    def _made(self, module: Any) -> Any:
        """Plain to a unix socket, loopback and what is marked so, TLS to anything else: no token crosses a network in the open
        unless somebody said that it may."""
        if self._tls is not None:
            name = self._tls.server_name
            options = [*_OPTIONS, *([("grpc.ssl_target_name_override", name)] if name else [])]
            return module.secure_channel(self._address, self._tls.credentials(), options=options)
        if self._address.startswith(PLAINTEXT):
            return module.insecure_channel(self._address.removeprefix(PLAINTEXT), options=_OPTIONS)
        host = self._address.rsplit(":", 1)[0]
        if self._address.startswith("unix:") or host in ("127.0.0.1", "localhost", "[::1]"):
            return module.insecure_channel(self._address, options=_OPTIONS)
        return module.secure_channel(self._address, grpc.ssl_channel_credentials(), options=_OPTIONS)


def _files(tls: Tls | None) -> Sequence[Path]:
    return [file for file in (tls.ca, tls.certificate, tls.key) if file is not None] if tls else []
