"""Asks a service's host to try, from inside its sandbox, what must be out of its reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from firebreak.v1 import host_pb2, host_pb2_grpc

from gateway.config import GatewayConfig
from gateway.proof import SELF_TEST, WALLS, Promise, Promises, Verdict
from gateway.targets import Target

PATIENCE = 15.0
"""Seconds for an answer: the test itself may take five, and a busy host some more to begin with it."""

_DETAIL = 300

_VERDICTS = {
    host_pb2.PROMISE_STATE_HELD: Verdict.HELD,
    host_pb2.PROMISE_STATE_BROKEN: Verdict.BROKEN,
    host_pb2.PROMISE_STATE_NOT_IN_FORCE: Verdict.NOT_IN_FORCE,
}


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """Absolute paths of files and sockets, and addresses as "host:port", which a service must not reach."""

    files: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class SelfTest:
    """The promises of a service's sandbox, as its host finds them kept; none where no host answers for a sandbox."""

    def __init__(self, channel_of: Callable[[Target], Any], forbidden: Callable[[Target], OutOfReach]) -> None:
        """`channel_of` gives the channel on which calls go too; `forbidden` looks at files, so a thread calls it."""
        self._channel_of = channel_of
        self._forbidden = forbidden

    async def prove(self, target: Target) -> Promises:
        """Raises nothing: while the test cannot be made, one promise says so."""
        if target.routed is not None:
            return ()  # somebody's own service, which knows nothing of walls and is not to be asked
        forbidden = await asyncio.to_thread(self._forbidden, target)
        request = host_pb2.HostServiceProveRequest(
            files=forbidden.files, sockets=forbidden.sockets, addresses=forbidden.addresses
        )
        try:
            stub = host_pb2_grpc.HostServiceStub(self._channel_of(target))
            return _promises(await stub.Prove(request, timeout=PATIENCE))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return ()
            return _unknown(f"its host ended it with {error.code().name}")
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            return _unknown("the connection was closed")


def out_of_reach(config: GatewayConfig, root: Path, others: Iterable[Target], target: Target) -> OutOfReach:
    """What the gateway knows of that `target` must not reach; `root` is what the configuration's paths are relative to.

    Only what is there now: that a missing file cannot be read proves nothing.
    """
    listening = [listener.address for listener in config.listeners if not listener.address.startswith("unix:")]
    files = {path for path in (*_secrets(config, root), *_states(root, others, target)) if path.is_file()}
    sockets = {path for other in others if other.name != target.name for path in _sockets(root, other)}
    return OutOfReach(
        files=tuple(sorted(str(path) for path in files)),
        sockets=tuple(sorted(str(path) for path in sockets if path.is_socket())),
        addresses=(config.admin, *listening),
    )


def _secrets(config: GatewayConfig, root: Path) -> Iterable[Path]:
    """Keys and what else the gateway alone may read. What lies beside an issuer's published keys may be its own key."""
    yield from (root / config.identity.session_keys).glob("*.json")
    for issuer in config.identity.issuers:
        if "://" not in issuer.jwks:
            yield from (root / issuer.jwks).parent.glob("*.json")
    for listener in config.listeners:
        if listener.tls is not None:
            yield root / listener.tls.key
    yield from (root / entry.tls.key for entry in config.services if entry.tls is not None and entry.tls.key)
    password = None if config.quotas is None else config.quotas.password_file
    named = (config.policy.opa.token_file, password, config.journal.dsn_file, config.journal.path)
    yield from (root / name for name in named if name is not None)


def _states(root: Path, others: Iterable[Target], target: Target) -> Iterable[Path]:
    """What a launcher writes about the other services, beside their sockets."""
    for other in others:
        if other.name != target.name and other.address.startswith("unix:"):
            yield (root / other.address.removeprefix("unix:")).with_suffix(".json")


def _sockets(root: Path, target: Target) -> Iterable[Path]:
    if target.address.startswith("unix:"):
        yield root / target.address.removeprefix("unix:")
    if target.socket:
        yield Path(target.socket)


def _promises(answer: Any) -> Promises:
    """What the host says, as far as it is of this contract: no name of its making becomes one of ours."""
    return tuple(
        Promise(each.name, _VERDICTS.get(each.state, Verdict.UNKNOWN), " ".join(each.detail.split())[:_DETAIL])
        for each in answer.promises
        if each.name in WALLS
    )


def _unknown(why: str) -> Promises:
    return (Promise(SELF_TEST, Verdict.UNKNOWN, why),)
