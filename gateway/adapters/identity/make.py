"""Puts the identity adapters together from their configuration."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from gateway.adapters.identity.authenticator import IdentityAuthenticator
from gateway.adapters.identity.issuers import Issuers
from gateway.adapters.identity.live_keys import LiveKeys
from gateway.adapters.identity.session_keys import SessionKeys
from gateway.adapters.identity.sessions import Sessions
from gateway.adapters.identity.sources import source
from gateway.config import Identity
from gateway.ports import Clock, InFlight


class MadeIdentity(NamedTuple):
    """The two ports, and `run`, which keeps all keys fresh until it is cancelled."""

    authenticator: IdentityAuthenticator
    sessions: Sessions
    run: Callable[[], Awaitable[None]]


def make_identity(
    config: Identity,
    services: Mapping[str, str],
    accept: Mapping[str, tuple[str, ...]],
    in_flight: InFlight,
    instance: str,
    clock: Clock,
    wall: Clock,
    *,
    ca_bundle: Path | None = None,
    new_id: Callable[[], str] = lambda: secrets.token_hex(16),
) -> MadeIdentity:
    """The authenticator and the session issuer.

    `services` are names of services by identity, which may change later, `accept` the accepted credentials by listener,
    `instance` a name that no other gateway process has or had, `wall` Unix time, `ca_bundle` a PEM file with the authorities
    for https key sets (None: the system's), `new_id` makes session ids.

    Raises ValueError when a gateway so configured could not work: no session key, issuers that clash, an address of keys
    that is not https. Issuers' keys are first read by `run` or by the first call that needs them.
    """
    keys = SessionKeys(Path(config.session_keys))
    issuers = [(issuer, source(issuer, ca_bundle, clock)) for issuer in config.issuers]
    sessions = Sessions(keys, in_flight, instance, clock, wall, new_id)
    verifier = Issuers(issuers, services, wall)
    authenticator = IdentityAuthenticator(verifier, sessions, services, accept, config.trust_domain)
    return MadeIdentity(authenticator, sessions, lambda: _run(keys, [live for _, live in issuers]))


async def _run(keys: SessionKeys, sources: list[LiveKeys]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(keys.run())
        for live in sources:
            group.create_task(live.run())
