"""Forward: the end of the chain. Sends the caller's own bytes to the target and watches what comes back."""

from __future__ import annotations

from types import TracebackType

from gateway.answers import ContractError, answer
from gateway.call import Call, Metadata
from gateway.errors import CallError, Reason
from gateway.ports import AttemptRecord, Clock, Journal, Recorder, SessionIssuer, Upstream
from gateway.routes import Action
from gateway.service import Finish, Send, Service
from gateway.targets import Target
from gateway.time_limit import TimeLimit

CALL_ID_KEY = "firebreak-call-id"
SESSION_KEY = "firebreak-session"


def forward(upstream: Upstream, sessions: SessionIssuer, recorder: Recorder, journal: Journal, clock: Clock) -> Service:
    """The service that carries one attempt to the call's target; it takes only a call with a permit.

    `journal` sees each message of the answer before it passes.

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
            finish = await upstream.call(
                target,
                call.method.name,
                metadata,
                call.request,
                call.deadline,
                call.method.streams_response,
                relay.send,
            )
        relay.end(finish)
        return finish

    return serve


def _metadata(call: Call, target: Target, attempt: AttemptRecord, sessions: SessionIssuer) -> Metadata:
    """What the target learns beside the request: trace, call id, its session, and the caller's own x- entries.

    Never the caller's credentials.
    """
    own = tuple(entry for entry in call.metadata if entry[0].startswith("x-"))
    metadata = (*own, *attempt.metadata, (CALL_ID_KEY, call.id))
    uses = target.config.uses
    if call.method.action is Action.CALL and (uses.tools or uses.model):
        metadata += ((SESSION_KEY, sessions.issue(call)),)
    return metadata


class _Relay:
    """Passes response messages on, counts them, and holds the target to its limits and to the contract."""

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
        self._size = 0
        self._answer = answer(call.method)
        self.patience = _Patience(call, target, clock)

    async def send(self, message: bytes) -> None:
        now = self._clock()
        self._count(message, now)
        try:
            self._answer.message(message)
        except ContractError as error:
            raise self._violated(error) from None
        self._journal.answered(self._call, message)
        self._call.facts.complete = self._answer.complete
        # While the caller reads slowly the target is not to blame.
        self.patience.pause()
        await self._send(message)
        self.patience.resume()

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
            raise CallError(
                Reason.RESPONSE_TOO_LARGE,
                f'"{self._target.name}" answered with more than the {self._limit} bytes allowed. Ask for less at once.',
                metadata={"target": self._target.name},
            )
        facts.response_bytes += len(message)
        facts.events += 1

    def _violated(self, error: ContractError) -> CallError:
        name = self._target.name
        return CallError(
            Reason.CONTRACT_VIOLATED,
            f'"{name}" broke the contract: {error}. Tell whoever runs that service.',
            metadata={"target": name},
        )


class _Patience:
    """How long the target may be silent: up to its first message, and between two of them.

    Limits are only set where they would expire before the call's deadline, which an outer stage enforces.
    """

    def __init__(self, call: Call, target: Target, clock: Clock) -> None:
        limits = target.config.limits
        self._clock = clock
        self._target = target
        self._end = call.deadline.at
        self._heard = False
        # None where it could not expire: what comes later is due later still.
        needed = self._due(min(limits.first_event, limits.idle)) is not None
        self._limit = TimeLimit(self._due(limits.first_event)) if needed else None

    def __enter__(self) -> None:
        if self._limit is not None:
            self._limit.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._limit is None:
            return
        try:
            self._limit.__exit__(kind, error, traceback)
        except TimeoutError:
            raise self._silent() from None

    def pause(self) -> None:
        self._heard = True
        if self._limit is not None:
            self._limit.move(None)

    def resume(self) -> None:
        if self._limit is not None:
            self._limit.move(self._due(self._target.config.limits.idle))

    def _due(self, silence: float) -> float | None:
        due = self._clock() + silence
        return due if due < self._end else None

    def _silent(self) -> CallError:
        name, limits = self._target.name, self._target.config.limits
        metadata = {"target": name}
        if self._heard:
            message = f'"{name}" was silent for more than {limits.idle:g} s between two messages. Try again.'
            return CallError(Reason.IDLE_TIMEOUT, message, metadata=metadata)
        message = f'"{name}" sent nothing within {limits.first_event:g} s. Try again, or ask for less at once.'
        return CallError(Reason.FIRST_EVENT_TIMEOUT, message, metadata=metadata)
