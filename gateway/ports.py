"""What the chain asks of the outside. Adapters implement these; unit tests hand in hand-written fakes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.call import Call, Exchange, Metadata, Principal, Session
from gateway.core.deadline import Deadline
from gateway.errors import CallError
from gateway.routes import Method
from gateway.service import Finish, Send
from gateway.targets import Target

Clock = Callable[[], float]
"""Monotonic seconds, the same clock as the running event loop's `time()`."""


class Authenticator(Protocol):
    """Turns credentials into who calls and for whom."""

    async def authenticate(self, call: Call) -> tuple[Principal, Session]:
        """Raises CallError with CREDENTIALS_* or SESSION_INVALID. Never answers with a default principal."""
        ...


class SessionIssuer(Protocol):
    """Makes the token with which a service makes child calls of `call`."""

    def issue(self, call: Call) -> str:
        """A signed token bound to `call.target`'s identity, ending at `call.deadline`, one level deeper."""
        ...


class Upstream(Protocol):
    """Carries one attempt to a target."""

    async def call(
        self,
        target: Target,
        method: str,
        metadata: Metadata,
        request: bytes,
        deadline: Deadline,
        streams: bool,
        send: Send,
    ) -> Finish:
        """Sends `request`, hands each response message to `send`, returns the target's own finish.

        Raises CallError TARGET_UNAVAILABLE when the connection could not be made or broke. Cancelling the task cancels the
        call at the target.
        """
        ...

    async def carry(
        self,
        target: Target,
        method: Method,
        metadata: Metadata,
        request: bytes,
        exchange: Exchange,
        deadline: Deadline,
        send: Send,
    ) -> Finish:
        """As `call`, for a `method` of a routed service: whatever status the target gives is its own finish.

        Where the method streams its requests they come from `exchange`, and `request` is empty. The target's initial metadata
        goes to `exchange` before its first message, and as soon as it is here.
        """
        ...


class AttemptRecord(Protocol):
    """One attempt's span. `metadata` are the trace headers for the target."""

    @property
    def metadata(self) -> Metadata: ...

    def end(self, finish: Finish | CallError | BaseException) -> None: ...


class Recorder(Protocol):
    """Puts calls on record: metrics, log, spans. Never raises and never waits."""

    def started(self, call: Call) -> None:
        """A call came in; nothing is verified yet."""
        ...

    def attempt(self, call: Call) -> AttemptRecord:
        """One attempt at the target starts."""
        ...

    def ended(self, call: Call, outcome: Finish | CallError | BaseException) -> None:
        """The call ended: `call.facts` is complete. An exception that is no CallError is cancellation or a bug."""
        ...


class Journal(Protocol):
    """Keeps every call, once. Raises and waits only where it is said.

    `required`: a call fails rather than go unrecorded.
    """

    @property
    def required(self) -> bool: ...

    def check(self) -> None:
        """Raises CallError JOURNAL_UNAVAILABLE when the journal is required and cannot be written now."""
        ...

    def asked(self, call: Call, message: bytes) -> None:
        """A message of a streamed request is about to pass: keeps of it, as `answered` does, in `call.facts.asks`."""
        ...

    def answered(self, call: Call, message: bytes) -> None:
        """A response message is about to pass: keeps what the target's configuration asks for in `call.facts.answers`."""
        ...

    async def opened(self, call: Call) -> None:
        """Returns when it is on record, and durable, that `call` was let through. Raises CallError JOURNAL_UNAVAILABLE."""
        ...

    def ended(self, call: Call, outcome: Finish | BaseException) -> Awaitable[None] | None:
        """The call ended: `call.facts` is complete, and nobody changes it any more.

        Where the journal is required, what is returned ends when the record is durable, or raises CallError ANSWER_WITHHELD.
        Whether it is awaited or not, the call is on record.
        """
        ...


class Quotas(Protocol):
    """Rates that all gateways share. Asked behind the gateway's own bucket of the same rate, which bounds what comes here."""

    async def take(self, name: str, per_second: float, burst: int) -> float:
        """0.0: the call may go on. Otherwise the seconds until one may; nothing was taken.

        Raises CallError OVERLOADED where what is shared cannot be asked and the configuration says to refuse then.
        """
        ...


class InFlight(Protocol):
    """The calls that run now, by id: a session token is worthless when its parent call has ended."""

    def __contains__(self, call_id: object) -> bool: ...
