"""Probes through the chain's own stages: what must be denied goes nowhere, what must be allowed is made for real, once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from firebreak.v1 import agent_pb2, embedding_pb2, model_pb2, payload_pb2, retriever_pb2, tool_pb2

from gateway.call import Call
from gateway.config import RouteConfig
from gateway.errors import CallError, Code, Reason
from gateway.filters.circuit_breaker import Breakers
from gateway.policy import PolicyError
from gateway.proof import Promise, Promises, Verdict
from gateway.proving.prober import Prober
from gateway.routed import RoutedService
from gateway.service import Finish, Send
from gateway.stack import Stack, build
from gateway.targets import State, Target
from tests.unit.gateway.chain_fakes import (
    ALLOW,
    START,
    FakeAuthenticator,
    FakeEngine,
    FakeJournal,
    FakeRecorder,
    FakeSessions,
    FakeUpstream,
    Script,
    answers,
    clock,
    gateway_config,
    run,
    target,
    targets,
)

ADDS = {"name": "adds", "args": {"expression": "6 * 7"}, "expect": "7006652"}
DENIED: Mapping[str, Any] = {
    "allow": False,
    "reasons": [{"rule": "grants", "message": "No grant."}],
    "obligations": {},
}


@dataclass
class Policy(FakeEngine):
    """Allows what the principals in `friends` want, and nothing else."""

    friends: tuple[str, ...] = ("firebreak:probe",)

    async def decide(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        self.answer = ALLOW if document["principal"]["id"] in self.friends else DENIED
        return await super().decide(document)


@dataclass
class World:
    """A service under proof: described, and not ready yet."""

    to: Target
    script: Script = answers
    engine: FakeEngine = field(default_factory=Policy)
    recorder: FakeRecorder = field(default_factory=FakeRecorder)
    journal: FakeJournal = field(default_factory=FakeJournal)
    sessions: FakeSessions = field(default_factory=FakeSessions)
    in_flight: set[str] = field(default_factory=set)
    walls: Promises | Exception = ()

    def __post_init__(self) -> None:
        self.to.state = State.STARTING
        self.upstream = FakeUpstream(self.script)
        self.breakers = Breakers(clock)
        ids = iter(range(1000))
        built = self.stack()
        self.prober = Prober(
            built.judged,
            built.probed,
            self._self_test,
            {"service:assistant": "assistant"},
            lambda: self.engine.revision,
            lambda: f"{next(ids):032x}",
            clock,
        )

    def stack(self) -> Stack:
        return build(
            config=gateway_config(),
            targets=targets(target("elsewhere")),  # one that is coming is not found by its name yet
            authenticator=FakeAuthenticator(error=AssertionError("a probe shows no credentials")),
            sessions=self.sessions,
            engine=self.engine,
            recorder=self.recorder,
            keeper=self.journal,
            upstream=self.upstream,
            breakers=self.breakers,
            in_flight=self.in_flight,
            clock=clock,
            random=lambda: 0.5,
            sleep=asyncio.sleep,
            draining=lambda: True,
        )

    async def _self_test(self, _target: Target) -> Promises:
        if isinstance(self.walls, Exception):
            raise self.walls
        return self.walls

    def denied(self) -> Promises:
        return run(lambda: self.prober.denied(self.to))

    def answered(self) -> Promises:
        return run(lambda: self.prober.answered(self.to))


def tool(allow: tuple[Any, ...] = (), deny: tuple[Any, ...] = (), **settings: Any) -> Target:
    return target(probes={"allow": allow, "deny": deny}, **settings)


def says(message: Any, finish: Finish | None = None) -> Script:
    async def script(send: Send) -> Finish:
        if message is not None:
            await send(message.SerializeToString())
        return finish or Finish()

    return script


def fails(error: Exception) -> Script:
    async def script(send: Send) -> Finish:
        raise error

    return script


def result(status: int, text: str = "", error: str = "") -> Any:
    content = [payload_pb2.ContentBlock(text=text)]
    return tool_pb2.ToolServiceCallResponse(
        result=tool_pb2.ToolResult(status=status, content=content, error_message=error)  # type: ignore[arg-type]
    )


def only(promises: Promises) -> Promise:
    (promise,) = promises
    return promise


def test_a_stranger_is_denied_everything_and_reaches_nothing() -> None:
    world = World(tool())
    assert world.denied() == (Promise("deny:stranger", Verdict.HELD),)
    asked = [(each["principal"]["id"], each["call"]["action"], each["args"]) for each in world.engine.documents]
    assert asked == [("firebreak:stranger", "describe", None), ("firebreak:stranger", "call", {})]
    assert world.upstream.sent == []


def test_a_stranger_asks_for_what_the_services_own_probe_asks_for() -> None:
    world = World(tool(allow=(ADDS,)))
    world.denied()
    assert world.engine.documents[1]["args"] == {"expression": "6 * 7"}


def test_a_deny_probe_that_policy_allows_is_broken_and_never_forwarded() -> None:
    deny = {"name": "long", "as": "service:assistant", "args": {"expression": "1"}}
    world = World(tool(deny=(deny,)), engine=Policy(friends=("service:assistant",)))
    broken, stranger = world.denied()
    assert (broken.name, broken.verdict) == ("deny:long", Verdict.BROKEN)
    assert "policy allows service:assistant to call it, by grants[0]" in broken.detail
    assert stranger.verdict is Verdict.HELD
    assert world.engine.documents[0]["principal"]["service"] == "assistant"
    assert world.upstream.sent == []


def test_what_a_schema_refuses_after_policy_allowed_it_is_allowed() -> None:
    deny = {"name": "long", "args": {"nonsense": 1}}
    broken = World(tool(deny=(deny,))).denied()[0]
    assert broken.verdict is Verdict.BROKEN
    assert "policy allows" in broken.detail


def test_a_deny_probe_that_never_gets_to_policy_proves_nothing() -> None:
    deny = {"name": "long", "args": {"expression": "x" * 3000}}
    broken = World(tool(deny=(deny,), limits={"request_bytes": "1KiB"})).denied()[0]
    assert broken.verdict is Verdict.BROKEN
    assert "refused before policy is asked" in broken.detail


def test_without_an_answer_of_policy_nothing_is_known() -> None:
    world = World(tool(allow=(ADDS,)), engine=FakeEngine(PolicyError("down")))
    assert only(world.denied()).verdict is Verdict.UNKNOWN
    assert only(world.answered()).verdict is Verdict.UNKNOWN


def test_an_allow_probe_is_made_for_real_and_leaves_no_trace() -> None:
    world = World(tool(allow=(ADDS,), limits={"deadline": "3s"}))
    assert only(world.answered()) == Promise("allow:adds", Verdict.HELD)
    (sent,) = world.upstream.sent
    assert (sent.target, sent.deadline.at) == ("calculator", START + 3.0)
    assert tool_pb2.ToolServiceCallRequest.FromString(sent.request).call.args_json == b'{"expression":"6 * 7"}'
    assert (world.recorder.calls, world.recorder.outcomes, world.recorder.attempts) == ([], [], [])
    assert (world.journal.calls, world.journal.shown, world.in_flight) == ([], [], set())
    assert world.to.calls == 0


def test_real_calls_are_kept_from_what_is_not_proven_yet() -> None:
    from tests.unit.gateway.chain_fakes import PRINCIPAL, SESSION, Received, authenticated, call

    world = World(tool())
    known = targets(world.to)

    async def main() -> None:
        stack = build(
            config=gateway_config(),
            targets=known,
            authenticator=FakeAuthenticator(PRINCIPAL, SESSION),
            sessions=world.sessions,
            engine=FakeEngine(),
            recorder=world.recorder,
            keeper=world.journal,
            upstream=world.upstream,
            breakers=world.breakers,
            in_flight=world.in_flight,
            clock=clock,
            random=lambda: 0.5,
            sleep=asyncio.sleep,
            draining=lambda: False,
        )
        with pytest.raises(CallError) as caught:
            await stack.serve(authenticated(call()), Received().send)
        assert caught.value.reason is Reason.TARGET_NOT_READY

    run(main)


@pytest.mark.parametrize(
    ("script", "verdict", "words"),
    [
        (says(result(tool_pb2.TOOL_STATUS_OK, "43")), Verdict.BROKEN, 'without "7006652"'),
        (says(result(tool_pb2.TOOL_STATUS_TOOL_ERROR, error="no disk")), Verdict.BROKEN, "TOOL_ERROR: no disk"),
        (says(result(tool_pb2.TOOL_STATUS_INVALID_ARGS, "no x")), Verdict.BROKEN, "INVALID_ARGS: no x"),
        (says(None, Finish(Code.INVALID_ARGUMENT, "bad")), Verdict.BROKEN, "it is refused: bad"),
        (says(None), Verdict.BROKEN, "broke the contract"),
        (says(None, Finish(Code.UNAVAILABLE, "too busy")), Verdict.UNKNOWN, "too busy"),
        (says(None, Finish(Code.RESOURCE_EXHAUSTED)), Verdict.UNKNOWN, "RESOURCE_EXHAUSTED"),
        (fails(CallError(Reason.TARGET_UNAVAILABLE, "gone")), Verdict.UNKNOWN, "gone"),
        (fails(CallError(Reason.WORKER_DIED, "died")), Verdict.UNKNOWN, "died"),
        (fails(ValueError("a bug")), Verdict.UNKNOWN, "its log says why"),
    ],
)
def test_an_answer_is_read(script: Script, verdict: Verdict, words: str) -> None:
    found = only(World(tool(allow=(ADDS,)), script).answered())
    assert found.verdict is verdict
    assert words in found.detail
    assert "a bug" not in found.detail


def test_a_service_that_never_answers_is_given_up_at_its_own_deadline() -> None:
    async def never(send: Send) -> Finish:
        await asyncio.Event().wait()
        raise AssertionError

    world = World(tool(allow=(ADDS,), limits={"deadline": "3s"}), never)

    async def main() -> tuple[Promises, float]:
        return await world.prober.answered(world.to), clock()

    found, ended = run(main)
    assert only(found).verdict is Verdict.UNKNOWN
    assert ended == START + 3.0


def test_an_allow_probe_that_policy_denies_says_what_to_change() -> None:
    found = only(World(tool(allow=(ADDS,)), engine=Policy(friends=())).answered())
    assert found.verdict is Verdict.BROKEN
    assert "policy denies it to firebreak:probe: No grant." in found.detail
    assert "Grant it in policy, or change the probe" in found.detail


def test_an_allow_probe_whose_arguments_do_not_fit_says_so() -> None:
    found = only(World(tool(allow=({**ADDS, "args": {"nonsense": 1}},))).answered())
    assert found.verdict is Verdict.BROKEN
    assert "it is refused: The arguments do not fit" in found.detail


def text(said: str) -> Any:
    return payload_pb2.Message(role=payload_pb2.ROLE_ASSISTANT, content=[payload_pb2.ContentBlock(text=said)])


DESCRIBE = {"action": "describe"}
RETRIEVER = retriever_pb2.RetrieverServiceDescribeResponse
EMBEDDING = embedding_pb2.EmbeddingServiceDescribeResponse


@pytest.mark.parametrize(
    ("kind", "probe", "answer"),
    [
        ("agent", {"prompt": "hi"}, agent_pb2.AgentServiceInvokeResponse(result=agent_pb2.RunFinished(message=text("hello")))),
        ("agent", {"prompt": "hi"}, agent_pb2.AgentServiceInvokeResponse(result=agent_pb2.RunFinished(state_json=b'"hello"'))),
        ("model", {"prompt": "hi"}, model_pb2.ModelServiceGenerateResponse(message=text("hello"))),
        ("tool", DESCRIBE, tool_pb2.ToolServiceDescribeResponse(spec=tool_pb2.ToolSpec(name="a", description="hello"))),
        ("agent", DESCRIBE, agent_pb2.AgentServiceDescribeResponse(spec=agent_pb2.AgentSpec(name="hello"))),
        ("model", DESCRIBE, model_pb2.ModelServiceDescribeResponse(spec=model_pb2.ModelSpec(name="hello"))),
        ("retriever", DESCRIBE, RETRIEVER(spec=retriever_pb2.RetrieverSpec(name="hello"))),
        ("embedding", DESCRIBE, EMBEDDING(spec=embedding_pb2.EmbeddingSpec(name="hello"))),
    ],
)  # fmt: skip
def test_every_kind_is_asked_in_its_own_words(kind: str, probe: dict[str, Any], answer: Any) -> None:
    to = target("thing", kind, probes={"allow": ({"name": "works", "expect": "hello", **probe},)})
    world = World(to, says(answer))
    assert only(world.answered()) == Promise("allow:works", Verdict.HELD)
    assert world.denied() == (Promise("deny:stranger", Verdict.HELD),)


def test_an_agents_session_counts_while_its_probe_runs() -> None:
    seen: list[set[str]] = []
    answer = agent_pb2.AgentServiceInvokeResponse(result=agent_pb2.RunFinished(message=text("hello")))

    async def script(send: Send) -> Finish:
        seen.append(set(world.in_flight))
        await send(answer.SerializeToString())
        return Finish()

    to = target(
        "thing", "agent", uses={"tools": ("calculator",)}, probes={"allow": ({"name": "works", "prompt": "hi"},)}
    )
    world = World(to, script)
    assert only(world.answered()).verdict is Verdict.HELD
    issued: Call = world.sessions.issued[0]
    assert (seen, world.in_flight) == ([{issued.id}], set())


@pytest.mark.parametrize("methods", [("shop.v1.Stock/Count",), ("shop.v1.Stock/*",)])
def test_a_route_denies_strangers_too(methods: tuple[str, ...]) -> None:
    config = RouteConfig.model_validate({"name": "shop", "address": "unix:s", "methods": methods})
    world = World(replace(target("shop"), config=config, routed=RoutedService(config)))
    assert world.denied() == (Promise("deny:stranger", Verdict.HELD),)
    assert world.answered() == ()
    assert len(world.engine.documents) == 1


def test_a_self_test_that_fails_is_not_known() -> None:
    world = World(tool(), walls=ValueError("a bug"))
    found = only(run(lambda: world.prober.enclosed(world.to)))
    assert (found.name, found.verdict) == ("self-test", Verdict.UNKNOWN)
