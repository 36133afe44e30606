"""Follows one target: its health by grpc.health.v1, and what a service says of itself by Describe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.adapters.registry.description import Unusable, configured, describe_request, read_description
from gateway.adapters.registry.proving import PROVING, Pace, Prover, Proving, Spawn
from gateway.config import RouteConfig
from gateway.routes import METHODS, Action
from gateway.targets import Description, State, Target
from gateway.wire import read_error

_log = logging.getLogger("firebreak.registry")

_SERVING = health_pb2.HealthCheckResponse.SERVING
_DESCRIBE = {method.kind: name for name, method in METHODS.items() if method.action is Action.DESCRIBE}

WATCH_SECONDS = 15.0
"""How long one health watch lasts: a service that answers nothing at all any more is found out at its renewal."""

ANSWER_SECONDS = 3.0
"""How long a service may take to answer a health check or a Describe."""


class _ElsewhereError(Exception):
    """The watch is over: others are followed from now on."""


class Follower:
    """Keeps one target's `state`, `reason` and `description` true, and tells `changed` of every new state.

    A routed service describes nothing, so its description is its configuration; without health it counts as up. What is up and
    described is ready when it is proven; without anything that is proven of it at once.
    """

    def __init__(
        self,
        target: Target,
        channel: Any,
        retry: float,
        changed: Callable[[], None] = lambda: None,
        proof: tuple[Prover, Pace, Spawn] | None = None,
        renew: Callable[[], Any] = lambda: None,
        spread: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        """`channel` is a grpc.aio channel to the target; `retry` is the pause in seconds before it is asked again.

        `proof` is None for whoever asks only whether the service is up. `renew` and `spread` as the
        registry has them.
        """
        self._target = target
        self._use(channel)
        self._retry = retry
        self._renew = renew
        self._renewed = False
        self._spread = spread
        self._changed = changed
        self._up = False
        self._proving = None if proof is None else Proving(target, *proof, self._set)

    def _use(self, channel: Any) -> None:
        kind = self._target.kind
        self._health = health_pb2_grpc.HealthStub(channel)
        self._describe = channel.unary_unary(_DESCRIBE[kind]) if kind in _DESCRIBE else None

    async def run(self) -> None:
        """Follows the target until cancelled."""
        try:
            await self._follow()
        finally:
            self._down()

    def policy_changed(self) -> None:
        """Another policy is in force: what it denies and allows is proven anew."""
        if self._proving is not None:
            self._proving.again()

    async def _follow(self) -> None:
        if isinstance(self._target.config, RouteConfig) and self._target.config.health == "none":
            self._described(configured(self._target))
            await asyncio.Event().wait()
        while True:
            try:
                await self._take_in()
                await self._watch()
            except _ElsewhereError:
                continue
            except Unusable as error:
                self._not_ready(str(error))
            except grpc.aio.AioRpcError as error:
                self._lost(error)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                self._waiting("the connection was closed")
            except Exception:
                _log.exception("following %s failed", self._target.name)
                self._not_ready("the gateway could not follow this service; its log says why")
            if not self._up:
                await asyncio.sleep(self._retry)

    async def _take_in(self) -> None:
        """Instances that were added get calls, too. What is known of the target stays: they are the same service."""
        if self._up and self._spread is not None and (channel := await self._spread()) is not None:
            self._use(channel)

    async def _watch(self) -> None:
        """One health watch. Each describes the service anew, since a restart between two of them would go unseen."""
        watch = self._health.Watch(health_pb2.HealthCheckRequest(), timeout=WATCH_SECONDS)
        # A task of its own, because abandoning a read ends the whole watch.
        reading = asyncio.ensure_future(watch.read())
        try:
            # Python 3.11's wait_for would forget a cancellation that comes with the answer.
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await asyncio.shield(reading)
            while status is not grpc.aio.EOF:
                reading = asyncio.ensure_future(watch.read())
                await self._heed(status.status == _SERVING, reading)
                status = await reading
            raise Unusable("the service ended its health watch")
        except TimeoutError:
            self._waiting("the service does not answer health checks")
        finally:
            watch.cancel()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _heed(self, serving: bool, next_status: asyncio.Future[Any]) -> None:
        """Brings the target up to date with one health status; while it cannot be used asks again until the next status."""
        if not serving and self._up and self._elsewhere():
            raise _ElsewhereError
        while not next_status.done():
            if await self._ask(serving):
                return
            await asyncio.wait((next_status,), timeout=self._retry)

    def _elsewhere(self) -> bool:
        """Whether others may serve in the place of an instance that ends. Then these are followed, and get the calls at once:
        until it is known how they are the target's state stays, as what ends takes calls for a moment longer."""
        channel = None if self._renewed else self._renew()
        if channel is None:
            return False
        self._renewed = True
        self._use(channel)
        self._down()
        return True

    async def _ask(self, serving: bool) -> bool:
        """Whether the service is serving and described itself."""
        if not serving and self._up:
            self._not_ready("the service reports that it is not serving")  # at once; the cause may take a while
        try:
            response = await self._said()
        except grpc.aio.AioRpcError as error:
            self._not_described(error)
            return False
        if not serving:
            self._waiting("the service reports that it is not serving")
            return False
        self._described(configured(self._target) if response is None else read_description(self._target.kind, response))
        return True

    async def _said(self) -> bytes | None:
        """What the service says of itself; None of a routed one, which is not asked."""
        if self._describe is None:
            return None
        return bytes(await self._describe(describe_request(self._target), timeout=ANSWER_SECONDS))

    def _not_described(self, error: grpc.aio.AioRpcError) -> None:
        """The service's own words where it gave some: a failed import names what is missing."""
        info = read_error(tuple(error.trailing_metadata() or ()))
        if info is None:
            self._waiting(f"Describe failed with {error.code().name}")
        elif cause := info.metadata.get("cause"):
            self._not_ready(cause)
        else:
            self._waiting(info.message or info.reason)

    def _lost(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return  # the watch has had its time: the next one starts
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            self._not_ready("the service does not serve grpc.health.v1")
        else:
            self._waiting(f"nothing answers at {self._target.address}")

    def _waiting(self, reason: str) -> None:
        """Time may mend it: a service that was never ready is starting still."""
        self._down()
        starting = self._target.state is State.STARTING
        self._set(State.STARTING if starting else State.NOT_READY, reason)

    def _not_ready(self, reason: str) -> None:
        self._down()
        self._set(State.NOT_READY, reason)

    def _down(self) -> None:
        self._up = False
        if self._proving is not None:
            self._proving.end()

    def _described(self, description: Description) -> None:
        """The service is up; it is not proven while it is the one that was before, which only a new description gives away."""
        self._renewed = False
        before, self._target.description = self._target.description, description
        if self._up and before is not None and before.response == description.response:
            return
        was_up, self._up = self._up, True
        if self._proving is None:
            self._set(State.READY, "")
            return
        if not was_up:
            self._set(self._target.state, PROVING)
        self._proving.begin()

    def _set(self, state: State, reason: str) -> None:
        target = self._target
        if (target.state, target.reason) != (state, reason):
            _log.info("%s is %s %s", target.name, state.value, reason)
        target.state, target.reason = state, reason
        self._changed()
