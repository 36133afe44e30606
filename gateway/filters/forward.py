"""Forward: the end of the chain. Sends the caller's own bytes to the target and watches what comes back."""

from __future__ import annotations

import asyncio

from gateway import usage
from gateway.answers import ContractError, answer
from gateway.call import Call, Metadata
from gateway.core.token_bucket import TokenBucket
from gateway.errors import CallError, Reason
from gateway.headers import to_target
from gateway.patience import Patience
from gateway.ports import AttemptRecord, Clock, Journal, Recorder, SessionIssuer, Upstream
from gateway.routes import Action
from gateway.service import Finish, Send, Service
from gateway.targets import Target

CALL_ID_KEY = "firebreak-call-id"
SESSION_KEY = "firebreak-session"
EVENTS_PER_SECOND, EVENTS_AT_ONCE = 500.0, 40
"""The pace of a stream of Firebreak's own events, several times that of the fastest models."""
PAUSE = 0.05
"""Seconds: no shorter pause is made to keep the pace. To wake up for each event costs each process on the way four times what
a few dozen events cost that are passed on together."""
MESSAGE, MESSAGES = 128, 256
"""An answer has at most as many messages as would fill its size limit at so many bytes each, or so many if that is more."""


def forward(upstream: Upstream, sessions: SessionIssuer, recorder: Recorder, journal: Journal, clock: Clock) -> Service:
    """The service that carries one attempt to the call's target; it takes only a call with a permit.

    `journal` sees each message of the answer, and of a streamed request, before it passes.

    Raises CallError FIRST_EVENT_TIMEOUT, IDLE_TIMEOUT, RESPONSE_TOO_LARGE, CONTRACT_VIOLATED, and what `upstream` raises.
    """

    async def serve(call: Call, send: Send) -> Finish:
        if call.permit is None or call.target is None:
            raise RuntimeError("a call without a permit came to Forward")
        call.facts.stages["forward"] = clock() - call.facts.started
        attempt = recorder.attempt(call)
        outcome: Finish | BaseException | None = None
        try:
            outcome = await _attempt(call, call.target, _metadata(call, call.target, attempt, sessions), send)
            return outcome
        except BaseException as error:
            outcome = error
            raise
        finally:
            assert outcome is not None
            attempt.end(outcome)
            outcome = None  # an error's traceback holds this frame: a cycle would keep the request alive

    async def _attempt(call: Call, target: Target, metadata: Metadata, send: Send) -> Finish:
        relay = _Relay(call, target, send, journal, clock)
        with relay.patience:
            if call.exchange is None:
                finish = await upstream.call(
                    target,
                    call.method.name,
                    metadata,
                    call.request,
                    call.deadline,
                    call.method.streams_response,
                    relay.send,
                )
            else:
                finish = await upstream.carry(
                    target, call.method, metadata, call.request, relay, call.deadline, relay.send
                )
        relay.end(finish)
        return finish

    return serve


def _metadata(call: Call, target: Target, attempt: AttemptRecord, sessions: SessionIssuer) -> Metadata:
    """What the target learns beside the request: trace, call id, its session, and the caller's own entries.

    Those are what begins with x-; a routed service, whose contract nobody knows here, gets more. Never its credentials.
    """
    if call.exchange is not None:
        return (*to_target(call.metadata), *attempt.metadata, (CALL_ID_KEY, call.id))
    own = tuple(entry for entry in call.metadata if entry[0].startswith("x-"))
    metadata = (*own, *attempt.metadata, (CALL_ID_KEY, call.id))
    uses = target.config.uses
    if call.method.action is Action.CALL and (uses.tools or uses.model):
        metadata += ((SESSION_KEY, sessions.issue(call)),)
    return metadata


class _Relay:
    """Passes response messages on, counts them, and holds the target to its limits and to the contract.

    Of a routed call it is the exchange, too, as the target's side sees it.
    """

    def __init__(self, call: Call, target: Target, send: Send, journal: Journal, clock: Clock) -> None:
        limits, permit = target.config.limits, call.permit
        assert permit is not None
        allowed = permit.decision.obligations.response_bytes
        self._call = call
        self._target = target
        self._send = send
        self._journal = journal
        self._clock = clock
        self._limit = limits.response_bytes if allowed is None else min(allowed, limits.response_bytes)
        # What a tiny message costs is not its size: an answer of nothing but such ones has a bound as well.
        self._messages = max(MESSAGES, self._limit // MESSAGE)
        self._received = 0
        self._size = 0
        self._pace = TokenBucket(EVENTS_PER_SECOND, EVENTS_AT_ONCE, clock())
        self._answer = answer(call.method)
        self._metered = usage.is_metered(call.method)
        self.patience = Patience(call, target, clock)

    async def send(self, message: bytes) -> None:
        now = self._clock()
        self._count(message, now)
        try:
            said = self._answer.message(message)
        except ContractError as error:
            raise self._violated(error) from None
        if self._metered:
            usage.read(self._call, said)
        self._journal.answered(self._call, message)
        self._call.facts.complete = self._answer.complete
        # While the caller reads slowly the target is not to blame.
        self.patience.pause()
        await self._send(message)
        await self._keep_pace()
        self.patience.resume()

    async def _keep_pace(self) -> None:
        """Holds a stream of events back that comes faster than any model writes: the flood of one would make all others late.

        A routed service's stream may be made of bulk, and keeps the pace of its caller.
        """
        if self._call.exchange is None:
            self._pace.charge(1, now := self._clock())
            wait = self._pace.wait(now)
            if wait >= PAUSE and not self._answer.complete:
                await asyncio.sleep(wait)

    async def receive(self) -> bytes | None:
        assert self._call.exchange is not None  # only routed calls are asked
        message = await self._call.exchange.receive()
        if message is None:
            self.patience.asked()
        else:
            self._journal.asked(self._call, message)
        return message

    async def header(self, metadata: Metadata) -> None:
        assert self._call.exchange is not None  # only routed targets send some
        self._call.facts.headed = True
        await self._call.exchange.header(metadata)

    def end(self, finish: Finish) -> None:
        """Checks that an answer which ends with OK is whole."""
        if finish.code == 0:
            try:
                self._answer.end()
            except ContractError as error:
                raise self._violated(error) from None

    def _count(self, message: bytes, now: float) -> None:
        facts = self._call.facts
        if facts.first_event is None:
            facts.first_event = now
        self._size += len(message)
        if self._size > self._limit:
            raise self._too_large(f"the {self._limit} bytes")
        self._received += 1
        if self._received > self._messages:
            raise self._too_large(f"the {self._messages} messages")
        facts.response_bytes += len(message)
        facts.events += 1

    def _too_large(self, bound: str) -> CallError:
        return CallError(
            Reason.RESPONSE_TOO_LARGE,
            f'"{self._target.name}" answered with more than {bound} allowed. Ask for less at once.',
            metadata={"target": self._target.name},
        )

    def _violated(self, error: ContractError) -> CallError:
        name = self._target.name
        return CallError(
            Reason.CONTRACT_VIOLATED,
            f'"{name}" broke the contract: {error}. Tell whoever runs that service.',
            metadata={"target": name},
        )
