"""The whole chain over fakes: the order of its stages, and that no rejection reaches a target or goes unrecorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from firebreak.v1 import model_pb2, payload_pb2

from gateway.call import Call, Metadata, Session
from gateway.config import Admission, GatewayConfig
from gateway.core.deadline import NEVER, Deadline
from gateway.core.usage import Sum, Used
from gateway.errors import CallError, Code, Reason
from gateway.filters.circuit_breaker import Breakers
from gateway.policy import PolicyError
from gateway.routes import CATALOG_LIST
from gateway.service import Finish, Send
from gateway.stack import Stack, build, compose, numbered_ids
from gateway.targets import State, Target
from tests.unit.gateway.chain_fakes import (
    ALLOW,
    MODEL_GENERATE,
    PRINCIPAL,
    RESULT,
    START,
    TOOL_CALL,
    Behind,
    FakeAuthenticator,
    FakeEngine,
    FakeJournal,
    FakeRecorder,
    FakeSessions,
    FakeUpstream,
    Received,
    Script,
    answers,
    call,
    clock,
    gateway_config,
    model_request,
    run,
    target,
    targets,
    tool_request,
)


@dataclass
class World:
    """A gateway over fakes."""

    known: tuple[Target, ...] = field(default_factory=lambda: (target(),))
    answer: Any = field(default_factory=lambda: ALLOW)
    script: Script = answers
    authenticator: FakeAuthenticator = field(default_factory=FakeAuthenticator)
    config: GatewayConfig = field(default_factory=gateway_config)
    draining: bool = False
    recorder: FakeRecorder = field(default_factory=FakeRecorder)
    journal: FakeJournal = field(default_factory=FakeJournal)
    in_flight: set[str] = field(default_factory=set)
    received: Received = field(default_factory=Received)

    def __post_init__(self) -> None:
        self.upstream = FakeUpstream(self.script)
        self.engine = FakeEngine(self.answer)

    def stack(self) -> Stack:
        return build(
            config=self.config,
            targets=targets(*self.known),
            authenticator=self.authenticator,
            sessions=FakeSessions(),
            engine=self.engine,
            recorder=self.recorder,
            keeper=self.journal,
            upstream=self.upstream,
            breakers=Breakers(clock),
            in_flight=self.in_flight,
            clock=clock,
            random=lambda: 0.5,
            sleep=asyncio.sleep,
            draining=lambda: self.draining,
        )

    def serve(self, made: Call) -> Finish | CallError:
        async def main() -> Finish | CallError:
            try:
                return await self.stack().serve(made, self.received.send)
            except CallError as error:
                return error

        outcome = run(main)
        assert self.recorder.outcomes == [outcome], "a call ended without its record"
        assert self.journal.outcomes == [outcome], "a call is not in the journal"
        assert not self.in_flight
        return outcome


def made(request: bytes | None = None, deadline: Deadline = NEVER, metadata: Metadata = ()) -> Call:
    return call(TOOL_CALL, request, deadline, metadata)


def test_an_authorized_call_passes_all_stages() -> None:
    world, outgoing = World(), made()
    assert world.serve(outgoing) == Finish()
    assert world.received.messages == [RESULT]
    facts = outgoing.facts
    assert [attempt.code for attempt in facts.attempts] == [Code.OK]
    assert (facts.principal, facts.target, facts.rules) == ("user:developer", "calculator", ("grants[0]",))
    assert list(facts.stages) == ["authenticate", "admit", "validate", "authorize", "bulkhead", "forward"]
    assert world.upstream.sent[0].deadline.at == pytest.approx(START + 30)


@pytest.mark.parametrize(("longest", "expected"), [("10s", START + 10), ("600s", START + 30)])
def test_the_gateways_own_max_deadline_bounds_every_call(longest: str, expected: float) -> None:
    config = gateway_config()
    admission = Admission.model_validate({"max_deadline": longest})
    world = World(config=config.model_copy(update={"admission": admission}))
    assert world.serve(made()) == Finish()
    assert world.upstream.sent[0].deadline.at == pytest.approx(expected)


REJECTED: list[tuple[Reason, dict[str, Any], Call]] = [
    (Reason.DEADLINE_EXCEEDED, {}, made(deadline=Deadline(START - 1))),
    (
        Reason.CREDENTIALS_MISSING,
        {"authenticator": FakeAuthenticator(error=CallError(Reason.CREDENTIALS_MISSING, "who?"))},
        made(),
    ),
    (Reason.INTERNAL, {"authenticator": FakeAuthenticator(error=ZeroDivisionError())}, made()),
    (Reason.DRAINING, {"draining": True}, made()),
    (
        Reason.DEPTH_EXCEEDED,
        {"authenticator": FakeAuthenticator(PRINCIPAL, Session("s", ("a", "b"), "p", depth=9))},
        made(),
    ),
    (Reason.REQUEST_TOO_LARGE, {}, made(b"\xff" * (4 * 1024**2 + 1))),
    (Reason.REQUEST_MALFORMED, {}, made(b"\xff\xff")),
    (Reason.ARGUMENTS_INVALID, {}, made(tool_request(args=b'{"n": 18446744073709551616}'))),
    (Reason.TARGET_UNKNOWN, {}, made(tool_request("nobody"))),
    (Reason.POLICY_DENIED, {"answer": {**ALLOW, "allow": False}}, made()),
    (Reason.POLICY_UNAVAILABLE, {"answer": PolicyError("down")}, made()),
    (Reason.POLICY_UNAVAILABLE, {"answer": None}, made()),
    (Reason.INTERNAL, {"answer": ZeroDivisionError()}, made()),
    (Reason.TARGET_NOT_READY, {"known": (replace(target(), state=State.NOT_READY, reason="broken"),)}, made()),
    (Reason.SCHEMA_CHANGED, {}, made(tool_request(expect_schema_sha256="b" * 64))),
    (Reason.ARGUMENTS_INVALID, {}, made(tool_request(args=b'{"expression": 7}'))),
]


@pytest.mark.parametrize(("reason", "settings", "call"), REJECTED, ids=[str(case[0]) for case in REJECTED])
def test_a_rejected_call_reaches_no_target_and_is_on_record(
    reason: Reason, settings: dict[str, Any], call: Call
) -> None:
    # A fresh call for each run: facts are written to.
    world = World(**settings)
    outcome = world.serve(made(call.request, call.deadline))
    assert isinstance(outcome, CallError)
    assert outcome.reason is reason
    assert world.upstream.sent == []
    assert world.received.messages == []


def test_policy_sees_no_call_that_was_refused_earlier() -> None:
    world = World()
    world.serve(made(tool_request(args=b"[]")))
    assert world.engine.documents == []


def test_a_call_that_overruns_ends_at_its_deadline_and_stops_the_target() -> None:
    stopped = []

    async def hangs(send: Send) -> Finish:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(clock())
            raise
        raise AssertionError("nothing wakes this")

    outcome = World(script=hangs).serve(made(deadline=Deadline(START + 2)))
    assert isinstance(outcome, CallError)
    assert outcome.reason is Reason.DEADLINE_EXCEEDED
    assert outcome.metadata == {"target": "calculator"}
    assert stopped == [pytest.approx(START + 2, abs=0.01)]


def test_a_read_is_tried_again_and_each_attempt_counts() -> None:
    attempts = []

    async def fails_once(send: Send) -> Finish:
        attempts.append(clock())
        if len(attempts) == 1:
            raise CallError(Reason.TARGET_UNAVAILABLE, "gone")
        return await answers(send)

    world, outgoing = World(script=fails_once), made()
    assert world.serve(outgoing) == Finish()
    assert [attempt.code for attempt in outgoing.facts.attempts] == [Code.UNAVAILABLE, Code.OK]
    assert len(world.recorder.attempts) == 2


def test_a_mutating_tool_is_never_tried_again() -> None:
    async def fails(send: Send) -> Finish:
        raise CallError(Reason.TARGET_UNAVAILABLE, "gone")

    world = World(script=fails, known=(target(effect="MUTATING"),))
    outcome = world.serve(made())
    assert isinstance(outcome, CallError)
    assert len(world.upstream.sent) == 1


def test_an_open_breaker_rejects_without_an_attempt() -> None:
    async def fails(send: Send) -> Finish:
        return Finish(Code.INTERNAL)

    world = World(script=fails, known=(target(breaker={"minimum_calls": 2}),))

    async def main() -> None:
        stack = world.stack()
        for _ in range(2):
            await stack.serve(made(), world.received.send)
        with pytest.raises(CallError) as caught:
            await stack.serve(made(), world.received.send)
        assert caught.value.reason is Reason.CIRCUIT_OPEN

    run(main)
    assert len(world.upstream.sent) == 2


def test_a_denied_call_takes_none_of_the_targets_rate() -> None:
    async def main() -> None:
        world = World(known=(target(limits={"rate": {"per_second": 0.001, "burst": 1}}),))
        stack = world.stack()
        world.engine.answer = {**ALLOW, "allow": False}
        for _ in range(5):
            with pytest.raises(CallError):
                await stack.serve(made(), world.received.send)
        world.engine.answer = ALLOW
        assert await stack.serve(made(), world.received.send) == Finish()

    run(main)


def test_a_cancelled_call_is_on_record_and_gives_its_place_back() -> None:
    async def hangs(send: Send) -> Finish:
        await asyncio.Event().wait()
        return Finish()

    async def main() -> None:
        world = World(script=hangs, known=(target(limits={"concurrency": 1, "queue": 0}),))
        stack = world.stack()
        task = asyncio.ensure_future(stack.serve(made(), world.received.send))
        await asyncio.sleep(0.01)
        assert world.in_flight
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [type(outcome) for outcome in world.recorder.outcomes] == [asyncio.CancelledError]
        assert not world.in_flight
        world.upstream.script = answers
        assert await stack.serve(made(), world.received.send) == Finish()

    run(main)


def test_the_gateways_own_services_are_behind_the_entrance() -> None:
    async def main() -> None:
        world, local = World(), Behind()
        wrapped = world.stack().gateway(local)
        await wrapped(call(CATALOG_LIST, b""), world.received.send)
        assert local.calls[0].principal == PRINCIPAL
        assert world.engine.documents == []
        world.authenticator.error = CallError(Reason.CREDENTIALS_MISSING, "who?")
        with pytest.raises(CallError):
            await wrapped(call(CATALOG_LIST, b""), world.received.send)
        assert len(local.calls) == 1
        assert len(world.recorder.outcomes) == 2

    run(main)


def test_both_chains_share_one_admission() -> None:
    async def main() -> None:
        world = World(config=gateway_config(admission={"principal_rate": {"per_second": 0.001, "burst": 1}}))
        stack = world.stack()
        await stack.serve(made(), world.received.send)
        with pytest.raises(CallError) as caught:
            await stack.gateway(Behind())(call(CATALOG_LIST, b""), world.received.send)
        assert caught.value.reason is Reason.RATE_LIMITED

    run(main)


async def generates(send: Send) -> Finish:
    used = payload_pb2.Usage(input_tokens=70, output_tokens=50)
    message = payload_pb2.Message(role=payload_pb2.ROLE_ASSISTANT, usage=used)
    await send(model_pb2.ModelServiceGenerateResponse(message=message).SerializeToString())
    return Finish()


def test_a_models_tokens_are_counted_and_too_many_keep_the_next_call_from_it_but_not_from_its_denial() -> None:
    async def main() -> None:
        router = target("router", "model", limits={"tokens": {"per_minute": 100}})
        world = World(known=(router,), script=generates)
        stack, first = world.stack(), call(MODEL_GENERATE, model_request())
        assert await stack.serve(first, world.received.send) == Finish()
        assert first.facts.used == Used(70, 50)
        assert stack.usage.pairs == {("user:developer", "router"): Sum(1, 70, 50)}
        with pytest.raises(CallError) as refused:
            await stack.serve(call(MODEL_GENERATE, model_request()), world.received.send)
        world.engine.answer = {**ALLOW, "allow": False}
        with pytest.raises(CallError) as denied:
            await stack.serve(call(MODEL_GENERATE, model_request()), world.received.send)
        assert (refused.value.reason, refused.value.quota) == (Reason.RATE_LIMITED, "tokens:router")
        assert denied.value.reason is Reason.POLICY_DENIED
        assert len(world.upstream.sent) == 1

    run(main)


def test_a_caller_who_hangs_up_on_a_model_pays_for_what_it_may_have_cost() -> None:
    async def main() -> None:
        router = target("router", "model", limits={"tokens": {"per_minute": 100, "answer": 1000}})
        world = World(known=(router,), script=silent)
        stack, request = world.stack(), model_request()
        asked = asyncio.ensure_future(stack.serve(call(MODEL_GENERATE, request), world.received.send))
        await asyncio.sleep(1.0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert stack.usage.models == {"router": Sum(1, -(-len(request) // 3), 1000, 1)}

    run(main)


async def silent(send: Send) -> Finish:
    await asyncio.Event().wait()
    raise AssertionError("nothing wakes this")


def test_a_decision_can_be_explained_by_its_id() -> None:
    async def main() -> None:
        world = World()
        stack, outgoing = world.stack(), made()
        await stack.serve(outgoing, world.received.send)
        explained = stack.judge.log.get(outgoing.facts.decision)
        assert explained is not None
        assert explained.chain == ("user:developer",)

    run(main)


def test_a_required_journal_announces_what_may_change_something_once_behind_the_bulkhead() -> None:
    world, outgoing = World(known=(target(effect="MUTATING"),), journal=FakeJournal(required=True)), made()
    assert world.serve(outgoing) == Finish()
    assert list(outgoing.facts.stages)[-3:] == ["bulkhead", "announce", "forward"]
    assert [each.id for each in world.journal.announced] == [outgoing.id]
    assert world.journal.shown == world.received.messages == [RESULT]


def test_a_journal_that_cannot_be_written_keeps_calls_from_the_target_if_it_is_required() -> None:
    refuse = CallError(Reason.JOURNAL_UNAVAILABLE, "later")
    required = World(journal=FakeJournal(required=True, refuse=refuse))
    assert required.serve(made()) is refuse
    assert required.upstream.sent == []
    assert World(journal=FakeJournal(refuse=refuse)).serve(made()) == Finish()


def test_an_answer_that_is_withheld_counts_as_such() -> None:
    withhold = CallError(Reason.ANSWER_WITHHELD, "no record")
    world = World(journal=FakeJournal(required=True, withhold=withhold))

    async def main() -> None:
        with pytest.raises(CallError):
            await world.stack().serve(made(), world.received.send)

    run(main)
    assert world.recorder.outcomes == [withhold]
    assert world.journal.outcomes == [Finish()]
    assert world.received.messages == []


def test_the_gateways_own_answers_and_refusals_are_in_the_journal_too() -> None:
    world, refused = World(), CallError(Reason.METHOD_UNKNOWN, "no such method")

    async def answering(made: Call, send: Send) -> Finish:
        await send(b"own")
        return Finish()

    async def refusing(made: Call, send: Send) -> Finish:
        raise refused

    async def main() -> None:
        stack = world.stack()
        await stack.gateway(answering)(call(CATALOG_LIST, b""), world.received.send)
        with pytest.raises(CallError):
            await stack.refused(refusing)(call(CATALOG_LIST, b""), world.received.send)

    run(main)
    assert world.journal.shown == [b"own"]
    assert world.journal.outcomes == world.recorder.outcomes == [Finish(), refused]


async def test_filters_are_composed_in_the_order_in_which_a_call_sees_them() -> None:
    seen = []

    def named(name: str) -> Any:
        def wrap(service: Any) -> Any:
            async def serve(made: Call, send: Send) -> Finish:
                seen.append(name)
                finish: Finish = await service(made, send)
                return finish

            return serve

        return wrap

    await compose((named("first"), named("second")), Behind())(call(), Received().send)
    assert seen == ["first", "second"]


def test_decision_ids_are_unique_and_of_one_shape() -> None:
    new_id = numbered_ids("a" * 16)
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert {len(each) for each in ids} == {32}
