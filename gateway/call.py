"""What crosses the gateway: a call, who makes it, and the facts that stages leave on record. Nothing here knows grpc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from gateway.core.deadline import Deadline
from gateway.core.usage import Used
from gateway.errors import Code
from gateway.routes import Method

if TYPE_CHECKING:
    from gateway.policy import Decision, Permit
    from gateway.targets import Description, Target

Metadata = tuple[tuple[str, str | bytes], ...]
"""Ordered, multi-valued gRPC metadata; keys are lower case, values of "-bin" keys are bytes."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the connection, as the transport proved it.

    `address` is for the record only. `uris` are the URI SANs of a verified client certificate; empty without mTLS.
    """

    address: str = ""
    uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes the call.

    `id` is what grants name, e.g. "user:developer", "service:assistant" or "spiffe://firebreak.local/service/assistant".
    `service` is the configured service that this identity belongs to, or None for anyone else. `claims` are the
    token's claims that the issuer's configuration passes on to policy.
    """

    id: str
    issuer: str
    service: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """For whom a call is made, and how far down.

    `chain` are the principals from the one who started the session to the caller of this call, the caller last; `parent`
    is the call in whose service this one was made; `depth` is 0 for a call from outside. `expires_at` is
    the parent's deadline (monotonic seconds): a child never outlives its parent.
    """

    id: str
    chain: tuple[str, ...]
    parent: str | None = None
    depth: int = 0
    expires_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class View:
    """What stages and policy read of a request; the body itself is forwarded as it came.

    `args` is the parsed JSON object of a tool call, `injected` the names of the arguments that the agent injects beside
    it. `prompt` describes an agent's or a model's input by numbers and names (see policies/schemas/input.json). `args` and
    `prompt` are None where they do not apply.
    """

    target: str
    args: dict[str, Any] | None = None
    args_json: bytes = b""
    injected: tuple[str, ...] = ()
    tool_call_id: str = ""
    prompt: Mapping[str, Any] | None = None
    expect_schema_sha256: str = ""
    idempotency_key: str = ""


class Exchange(Protocol):
    """The two directions of a routed call that its messages alone do not show."""

    async def receive(self) -> bytes | None:
        """The caller's next request message, None after the last. Waits for the caller, and so holds the caller back."""
        ...

    async def header(self, metadata: Metadata) -> None:
        """Hands the target's initial metadata to the caller: at most once, before the first message."""
        ...


@dataclass(slots=True)
class Attempt:
    """One try to reach the target: `seconds` it took and the status `code` and `reason` that it ended with."""

    seconds: float
    code: Code
    reason: str = ""


@dataclass(slots=True)
class Facts:
    """What is known of one call for its record. Stages write here as they learn; Record reads when the call has ended.

    Instants are monotonic seconds, sizes are bytes of message bodies. `stages` are seconds from the start of the call
    until that stage passed the call on. `open_ended`: the caller set no deadline. `resolved` is the service that `target`
    names and `described` what it had said of itself by then. `document` is what policy was asked and `judged` what it
    decided. `answers` are the response messages as far as the journal keeps them, `answers_cut` says that some were left out
    for want of memory. `complete`: the message that passes now, or passed, is the answer's last. `requests` counts the messages
    of a streamed request, of which `request_bytes` are the sum, `asked` is when it was complete; `asks` and `asks_cut` are to
    it what `answers` and `answers_cut` are to the answer. `headed`: the target's initial metadata went to the caller.
    `answer_text` are the bytes that a model has written so far, `used` the tokens that its call took.
    """

    started: float
    open_ended: bool = False
    principal: str = ""
    issuer: str = ""
    session: str = ""
    parent: str = ""
    chain: tuple[str, ...] = ()
    depth: int = 0
    target: str = ""
    resolved: Target | None = None
    described: Description | None = None
    decision: str = ""
    revision: str = ""
    rules: tuple[str, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    request_bytes: int = 0
    response_bytes: int = 0
    events: int = 0
    first_event: float | None = None
    correlation: str = ""
    document: Mapping[str, Any] | None = None
    judged: Decision | None = None
    answers: list[bytes] = field(default_factory=list)
    answers_cut: bool = False
    complete: bool = False
    requests: int = 1
    asked: float | None = None
    asks: list[bytes] = field(default_factory=list)
    asks_cut: bool = False
    headed: bool = False
    answer_text: int = 0
    used: Used | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call on its way through the chain. Stages pass it on `narrowed`.

    `request` is the one request message, as its caller's bytes; empty where the method streams its requests. From Authenticate
    on `principal` and `session` are set, from Validate on `view` and `target`, from Authorize on `permit`. `exchange` is set
    for calls of routed services only.
    """

    id: str
    method: Method
    metadata: Metadata
    request: bytes
    deadline: Deadline
    listener: str
    peer: Peer
    facts: Facts
    principal: Principal | None = None
    session: Session | None = None
    view: View | None = None
    target: Target | None = None
    permit: Permit | None = None
    exchange: Exchange | None = None

    def narrowed(
        self,
        deadline: Deadline,
        *,
        principal: Principal | None = None,
        session: Session | None = None,
        view: View | None = None,
        target: Target | None = None,
        permit: Permit | None = None,
    ) -> Call:
        """This call with `deadline` and what else a stage has learnt; fields that are left out stay as they are.

        Written out because every call pays for it three times: `dataclasses.replace` takes three times as long.
        """
        return Call(
            self.id,
            self.method,
            self.metadata,
            self.request,
            deadline,
            self.listener,
            self.peer,
            self.facts,
            principal or self.principal,
            session or self.session,
            view or self.view,
            target or self.target,
            permit or self.permit,
            self.exchange,
        )

    def header(self, key: str) -> str | None:
        """The first text value of metadata `key`, or None."""
        for name, value in self.metadata:
            if name == key and isinstance(value, str):
                return value
        return None
