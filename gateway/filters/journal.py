"""Journal: a call's place in the record that is kept. Where that is required, nothing is done or answered without it."""

from __future__ import annotations

from collections.abc import Awaitable

from gateway.call import Call
from gateway.config import Effect
from gateway.errors import CallError
from gateway.outcomes import failure
from gateway.ports import Clock, Journal
from gateway.routes import Action
from gateway.service import Filter, Finish, Send, Service


def journal(keeper: Journal) -> Filter:
    """A stage that hands each call's end to `keeper`, rejected and cancelled calls included.

    Where the journal is required it refuses calls that could not go on record (JOURNAL_UNAVAILABLE), and holds an
    answer's last message back until the record is durable (or else raises ANSWER_WITHHELD).
    """
    return _required(keeper) if keeper.required else _best_effort(keeper)


def announce(keeper: Journal, clock: Clock) -> Filter:
    """A stage that puts on record, before the target hears of it, a call that may change something or that streams.

    Whatever happens to the gateway afterwards, it is known that the call was let through. Raises JOURNAL_UNAVAILABLE.
    """

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            if _matters(call):
                await keeper.opened(call)
                call.facts.stages["announce"] = clock() - call.facts.started
            return await service(call, send)

        return serve

    return wrap


def capture(keeper: Journal) -> Filter:
    """A stage that shows `keeper` the answer of a service which the gateway is itself; Forward does so for targets."""

    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            async def shown(message: bytes) -> None:
                call.facts.response_bytes += len(message)
                call.facts.events += 1
                keeper.answered(call, message)
                await send(message)

            return await service(call, shown)

        return serve

    return wrap


def _matters(call: Call) -> bool:
    if call.method.action is not Action.CALL:
        return False
    assert call.target is not None  # Validate comes first
    return call.method.streams_response or call.target.config.declared_effect is Effect.MUTATING


def _best_effort(keeper: Journal) -> Filter:
    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            try:
                finish = await service(call, send)
            except BaseException as error:
                ended = failure(error, call)
                keeper.ended(call, ended)
                try:
                    raise ended from ended.__cause__
                finally:
                    del ended  # its traceback holds this frame: a cycle would keep the request alive
            keeper.ended(call, finish)
            return finish

        return serve

    return wrap


def _required(keeper: Journal) -> Filter:
    def wrap(service: Service) -> Service:
        async def serve(call: Call, send: Send) -> Finish:
            last: list[bytes] = []

            async def hold(message: bytes) -> None:
                if call.facts.complete:
                    last.append(message)
                else:
                    await send(message)

            _check(keeper, call)
            try:
                finish = await service(call, hold)
            except BaseException as error:
                ended = failure(error, call)
                receipt = keeper.ended(call, ended)
                try:
                    if isinstance(ended, CallError) and await _durable(receipt):
                        await _send(last, send)
                    raise ended from ended.__cause__
                finally:
                    del ended, receipt  # the error's traceback holds this frame: a cycle would keep the request alive
            receipt = keeper.ended(call, finish)
            if receipt is not None:
                await receipt
            await _send(last, send)
            return finish

        return serve

    return wrap


def _check(keeper: Journal, call: Call) -> None:
    try:
        keeper.check()
    except CallError as error:
        # Not waited for: it is refused because that would take for ever.
        keeper.ended(call, error)
        raise


async def _durable(receipt: Awaitable[None] | None) -> bool:
    """Whether the record of a call that failed anyway is kept; the caller learns of its own error, not of this one."""
    try:
        if receipt is not None:
            await receipt
    except CallError:
        return False
    return True


async def _send(messages: list[bytes], send: Send) -> None:
    for message in messages:
        await send(message)
