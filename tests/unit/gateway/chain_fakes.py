"""Hand-written fakes of every port of the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from firebreak.v1 import agent_pb2, model_pb2, payload_pb2, tool_pb2

from gateway.call import Call, Facts, Metadata, Peer, Principal, Session
from gateway.config import GatewayConfig, Listener, ServiceConfig, ServiceEntry
from gateway.core.deadline import NEVER, Deadline
from gateway.errors import CallError
from gateway.policy import Decision, Obligations, Permit
from gateway.routes import METHODS, Method
from gateway.service import Finish, Send
from gateway.targets import Description, State, Target
from tests import virtual_time
from tests.virtual_time import clock as clock

T = TypeVar("T")

TOOL_CALL = METHODS["/firebreak.v1.ToolService/Call"]
TOOL_STREAM = METHODS["/firebreak.v1.ToolService/Stream"]
TOOL_DESCRIBE = METHODS["/firebreak.v1.ToolService/Describe"]
AGENT_INVOKE = METHODS["/firebreak.v1.AgentService/Invoke"]
AGENT_RUN = METHODS["/firebreak.v1.AgentService/Run"]
MODEL_GENERATE = METHODS["/firebreak.v1.ModelService/Generate"]

START = 1000.0
SCHEMA = {
    "type": "object",
    "properties": {"expression": {"type": "string", "maxLength": 200}},
    "required": ["expression"],
    "additionalProperties": False,
}
NO_OBLIGATIONS = Obligations()
SHA = "a" * 64
ALLOW: Mapping[str, Any] = {"allow": True, "reasons": [{"rule": "grants[0]", "message": "granted"}], "obligations": {}}
RESULT = tool_pb2.ToolServiceCallResponse(
    result=tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[payload_pb2.ContentBlock(text="7006652")])
).SerializeToString()


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs `main` in virtual time."""
    result: T = virtual_time.run(main())
    return result


def tool_request(target: str = "calculator", args: bytes = b'{"expression": "1234 * 5678"}', **fields: Any) -> bytes:
    return tool_pb2.ToolServiceCallRequest(
        call=tool_pb2.ToolCall(target=target, args_json=args, **fields)
    ).SerializeToString()


def agent_request(target: str = "assistant", text: str = "What is 2 + 2?") -> bytes:
    return agent_pb2.AgentServiceInvokeRequest(
        input=agent_pb2.AgentInput(target=target, messages=[user_message(text)])
    ).SerializeToString()


def model_request(target: str = "router", text: str = "hello") -> bytes:
    return model_pb2.ModelServiceGenerateRequest(
        prompt=model_pb2.Prompt(target=target, messages=[user_message(text)])
    ).SerializeToString()


def user_message(text: str) -> payload_pb2.Message:
    return payload_pb2.Message(role=payload_pb2.ROLE_USER, content=[payload_pb2.ContentBlock(text=text)])


def service(name: str = "calculator", kind: str = "tool", **settings: Any) -> ServiceConfig:
    if kind == "tool":
        settings.setdefault("effect", "READ")
    return ServiceConfig.model_validate(
        {"name": name, "kind": kind, "version": "1.0.0", "entrypoint": "module:object", **settings}
    )


def description(schema: Mapping[str, Any] | None = SCHEMA, sha: str = SHA) -> Description:
    return Description(b"", "calculator", "", "1.0.0", "langchain", "1.4.7", "1.7.2", "3.11.7", schema, sha)


def target(name: str = "calculator", kind: str = "tool", **settings: Any) -> Target:
    described = description() if kind == "tool" else description(None, "")
    return Target(service(name, kind, **settings), f"unix:{name}.sock", f"service:{name}", State.READY, "", described)


PRINCIPAL = Principal("user:developer", "users")
SESSION = Session("s" * 32, ("user:developer",))


def call(
    method: Method = TOOL_CALL, request: bytes | None = None, deadline: Deadline = NEVER, metadata: Metadata = ()
) -> Call:
    """A call as the edge makes it."""
    request = tool_request() if request is None else request
    return Call("c" * 32, method, metadata, request, deadline, "local", Peer("test"), Facts(START))


def authenticated(made: Call, principal: Principal = PRINCIPAL, session: Session = SESSION) -> Call:
    return replace(made, principal=principal, session=session)


def decision(allow: bool = True, obligations: Obligations = NO_OBLIGATIONS) -> Decision:
    return Decision("d" * 32, allow, (), obligations, "r" * 64, "fake")


def permitted(made: Call, to: Target, obligations: Obligations = NO_OBLIGATIONS) -> Call:
    return replace(authenticated(made), target=to, permit=Permit(decision(True, obligations)))


@dataclass
class FakeTargets:
    targets: dict[str, Target]

    def get(self, name: str) -> Target | None:
        return self.targets.get(name)

    def all(self) -> tuple[Target, ...]:
        return tuple(self.targets[name] for name in sorted(self.targets))

    def method(self, name: str) -> Method | None:
        routed = (target.routed for target in self.all() if target.routed is not None)
        return next((method for each in routed if (method := each.method(name))), None)


def targets(*known: Target) -> FakeTargets:
    return FakeTargets({each.name: each for each in known or (target(),)})


@dataclass
class FakeAuthenticator:
    principal: Principal = PRINCIPAL
    session: Session = SESSION
    error: Exception | None = None

    async def authenticate(self, call: Call) -> tuple[Principal, Session]:
        if self.error is not None:
            raise self.error
        return self.principal, self.session


@dataclass
class FakeSessions:
    issued: list[Call] = field(default_factory=list)

    def issue(self, call: Call) -> str:
        self.issued.append(call)
        return "session-token"


@dataclass
class FakeEngine:
    """Answers with `answer`; hangs where it is None, raises where it is an exception."""

    answer: Any = field(default_factory=lambda: ALLOW)
    documents: list[Mapping[str, Any]] = field(default_factory=list)
    name: str = "fake"
    revision: str = "r" * 64

    async def decide(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        self.documents.append(document)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        answer: Mapping[str, Any] = self.answer
        return answer


Script = Callable[[Send], Awaitable[Finish]]


async def answers(send: Send) -> Finish:
    await send(RESULT)
    return Finish()


@dataclass
class Sent:
    """What reached a target."""

    target: str
    method: str
    metadata: Metadata
    request: bytes
    deadline: Deadline
    streams: bool


@dataclass
class FakeUpstream:
    """Runs `script` in place of a target; `sent` are the calls that reached one."""

    script: Script = answers
    sent: list[Sent] = field(default_factory=list)

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
        self.sent.append(Sent(target.name, method, metadata, request, deadline, streams))
        return await self.script(send)


@dataclass
class FakeAttempt:
    metadata: Metadata = (("traceparent", "00-trace-span-01"),)
    ended: list[Finish | BaseException] = field(default_factory=list)

    def end(self, finish: Finish | BaseException) -> None:
        self.ended.append(finish)


@dataclass
class FakeRecorder:
    calls: list[Call] = field(default_factory=list)
    outcomes: list[Finish | BaseException] = field(default_factory=list)
    attempts: list[FakeAttempt] = field(default_factory=list)

    def started(self, call: Call) -> None:
        self.calls.append(call)

    def attempt(self, call: Call) -> FakeAttempt:
        self.attempts.append(FakeAttempt())
        return self.attempts[-1]

    def ended(self, call: Call, outcome: Finish | CallError | BaseException) -> None:
        self.outcomes.append(outcome)


@dataclass
class FakeJournal:
    """Keeps what the chain tells it; raises `refuse` from `check` and `opened`, and from what `ended` returns `withhold`."""

    required: bool = False
    refuse: CallError | None = None
    withhold: CallError | None = None
    asked_for: list[bytes] = field(default_factory=list)
    shown: list[bytes] = field(default_factory=list)
    announced: list[Call] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    outcomes: list[Finish | BaseException] = field(default_factory=list)
    durable: asyncio.Event | None = None

    def check(self) -> None:
        if self.refuse is not None:
            raise self.refuse

    def asked(self, call: Call, message: bytes) -> None:
        self.asked_for.append(message)

    def answered(self, call: Call, message: bytes) -> None:
        self.shown.append(message)

    async def opened(self, call: Call) -> None:
        self.check()
        self.announced.append(call)

    def ended(self, call: Call, outcome: Finish | BaseException) -> Awaitable[None] | None:
        self.calls.append(call)
        self.outcomes.append(outcome)
        return _Receipt(self) if self.required else None


@dataclass
class _Receipt:
    journal: FakeJournal

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        if self.journal.durable is not None:
            await self.journal.durable.wait()
        if self.journal.withhold is not None:
            raise self.journal.withhold


@dataclass
class Received:
    """A caller: what it was sent."""

    messages: list[bytes] = field(default_factory=list)

    async def send(self, message: bytes) -> None:
        self.messages.append(message)


@dataclass
class Behind:
    """The service behind a stage under test: remembers the calls that got there."""

    calls: list[Call] = field(default_factory=list)
    finish: Finish = field(default_factory=Finish)

    async def __call__(self, call: Call, send: Send) -> Finish:
        self.calls.append(call)
        return self.finish


async def hangs(call: Call, send: Send) -> Finish:
    await asyncio.Event().wait()
    raise AssertionError("nothing wakes this")


def gateway_config(**settings: Any) -> GatewayConfig:
    return GatewayConfig.model_validate(
        {
            "listeners": (Listener(name="local", address="127.0.0.1:0", accept=("jwt",)),),
            "admin": "127.0.0.1:0",
            "identity": {"session_keys": "keys"},
            "policy": {"path": "policies"},
            "services": (
                ServiceEntry(path="services/calculator", address="unix:c.sock", identity="service:calculator"),
            ),
            **settings,
        }
    )
