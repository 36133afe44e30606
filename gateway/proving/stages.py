"""What the chain of a probe is made of beside the stages that it shares with calls."""

from __future__ import annotations

from gateway.call import Call, Metadata
from gateway.routes import Action, Method
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target


class Alone:
    """Implements `gateway.targets.Targets` for the probes of one target: one that is coming is not yet found by its name."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def get(self, name: str) -> Target | None:
        return self._target if name == self._target.name else None

    def all(self) -> tuple[Target, ...]:
        return (self._target,)

    def method(self, name: str) -> Method | None:
        return None if self._target.routed is None else self._target.routed.method(name)


class _Attempt:
    metadata: Metadata = ()

    def end(self, finish: Finish | BaseException) -> None:
        """Nobody asks how long it took."""


class Unrecorded:
    """Recorder and journal of probes, which are no calls: nobody made them, and nobody is to find them in the record."""

    required = False

    def started(self, call: Call) -> None:
        """Nothing is kept."""

    def attempt(self, call: Call) -> _Attempt:  # noqa: ARG002 - the port's shape
        return _Attempt()

    def ended(self, call: Call, outcome: Finish | BaseException) -> None:
        """Nothing is kept."""

    def check(self) -> None:
        """Nothing can fail."""

    def asked(self, call: Call, message: bytes) -> None:
        """Nothing is kept."""

    def answered(self, call: Call, message: bytes) -> None:
        """Nothing is kept."""

    async def opened(self, call: Call) -> None:
        """Nothing is kept."""


async def permitted(call: Call, send: Send) -> Finish:  # noqa: ARG001 - the shape of a service
    """The end of a probe that only policy is to judge: it goes no further, whatever was decided."""
    return Finish()


def serving(in_flight: set[str]) -> Filter:
    """A stage that lets an agent make calls while it answers a probe: its session counts only as long as its own call runs."""

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            uses = call.target.config.uses if call.target is not None else None
            if call.method.action is not Action.CALL or uses is None or not (uses.tools or uses.model):
                return await service(call, send)
            in_flight.add(call.id)
            try:
                return await service(call, send)
            finally:
                in_flight.discard(call.id)

        return serve

    return wrap
