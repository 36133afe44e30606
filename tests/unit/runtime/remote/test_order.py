"""Models in order: the next one answers where the one before cannot, and nobody notices but in the metadata."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from firebreak.v1 import model_pb2
from firebreak_runtime.context import CallContext, current
from firebreak_runtime.errors import CODES
from firebreak_runtime.remote import Gateway, RemoteChatModel, RemoteError
from firebreak_runtime.remote.order import CANNOT_ANSWER, common_profile
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from tests.unit.runtime.fake_gateway import Answer, FakeGateway, abort, status
from tests.unit.runtime.remote.recorder import Recorder

GENERATE = "/firebreak.v1.ModelService/Generate"
STREAM = "/firebreak.v1.ModelService/Stream"
WAYS = pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])


@tool
def add(a: int) -> int:
    """Adds."""
    return a


@pytest.fixture
def target(serve: Any, gateway: FakeGateway) -> Callable[..., None]:
    """Lets a target fail as told; every other one answers."""
    serve("scripted", "model")
    failing: dict[str, Answer] = {}
    for name, kind in (
        (GENERATE, model_pb2.ModelServiceGenerateRequest),
        (STREAM, model_pb2.ModelServiceStreamRequest),
    ):
        gateway.answers[name] = _by_target(kind, gateway.answers[name], failing)

    def fails(name: str, reason: str, message: str = "a safe message") -> None:
        failing[name] = lambda request, context: abort(context, status(reason, message))

    return fails


def _by_target(kind: Any, fine: Answer, failing: dict[str, Answer]) -> Answer:
    def answer(request: bytes, context: Any) -> Iterator[bytes]:
        yield from failing.get(kind.FromString(request).prompt.target, fine)(request, context)

    return answer


@pytest.fixture
def models(door: Gateway) -> RemoteChatModel:
    return RemoteChatModel.in_order(
        [RemoteChatModel(target=name, model_name=name, gateway=door) for name in ("first", "second", "third")]
    )


def ask(way: str, model: RemoteChatModel, given: Any = "hello", bound: Any = None, **config: Any) -> Any:
    runnable = bound if bound is not None else model
    if way == "invoke":
        return runnable.invoke(given, config or None)
    if way == "stream":
        return _sum(list(runnable.stream(given, config or None)))

    async def run() -> Any:
        try:
            if way == "ainvoke":
                return await runnable.ainvoke(given, config or None)
            return _sum([chunk async for chunk in runnable.astream(given, config or None)])
        finally:
            await model.gateway.aclose()

    return asyncio.run(run())


def _sum(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def asked(gateway: FakeGateway) -> list[str]:
    kinds = {GENERATE: model_pb2.ModelServiceGenerateRequest, STREAM: model_pb2.ModelServiceStreamRequest}
    return [kinds[seen.method].FromString(seen.request).prompt.target for seen in gateway.seen]


@WAYS
def test_the_first_answers_where_it_can(way: str, models: Any, target: Any, gateway: FakeGateway) -> None:
    answer = ask(way, models)

    assert (answer.content, answer.response_metadata["firebreak_target"]) == ("I read hello", "first")
    assert asked(gateway) == ["first"]


@WAYS
@pytest.mark.parametrize("reason", sorted(CANNOT_ANSWER))
def test_the_next_answers_where_it_cannot(
    way: str, reason: str, models: Any, target: Any, gateway: FakeGateway
) -> None:
    target("first", reason)

    answer = ask(way, models)

    assert (answer.content, answer.response_metadata["firebreak_target"]) == ("I read hello", "second")
    assert answer.response_metadata["model_name"] == "scripted-1"
    assert asked(gateway) == ["first", "second"]


@WAYS
@pytest.mark.parametrize("reason", sorted(CODES.keys() - CANNOT_ANSWER))
def test_no_other_is_asked_for_any_other_reason(
    way: str, reason: str, models: Any, target: Any, gateway: FakeGateway
) -> None:
    target("first", reason)

    with pytest.raises(RemoteError, match=f"^first: {reason}"):
        ask(way, models)
    assert asked(gateway) == ["first"]


@WAYS
def test_where_none_can_answer_all_are_named(way: str, models: Any, target: Any) -> None:
    for name, reason in (("first", "CIRCUIT_OPEN"), ("second", "MODEL_FAILED"), ("third", "TARGET_NOT_READY")):
        target(name, reason, "it says why")

    with pytest.raises(RemoteError) as error:
        ask(way, models)

    failure = error.value.failure
    assert (failure.target, failure.reason) == ("third", "TARGET_NOT_READY")
    assert failure.message == "it says why (asked before: first CIRCUIT_OPEN, second MODEL_FAILED)"


@WAYS
def test_a_denial_ends_the_order(way: str, models: Any, target: Any, gateway: FakeGateway) -> None:
    target("first", "CIRCUIT_OPEN")
    target("second", "POLICY_DENIED")

    with pytest.raises(RemoteError, match="second: POLICY_DENIED"):
        ask(way, models)
    assert asked(gateway) == ["first", "second"]


@pytest.mark.parametrize("way", ["stream", "astream"])
def test_after_the_first_chunk_no_other_is_asked(way: str, models: Any, target: Any, gateway: FakeGateway) -> None:
    chunk = model_pb2.ModelServiceStreamResponse(seq=1, chunk={"role": "ROLE_ASSISTANT", "content": [{"text": "half"}]})

    def answer(request: bytes, context: Any) -> Iterator[bytes]:
        yield chunk.SerializeToString()
        abort(context, status("WORKER_DIED"))

    gateway.answers[STREAM] = answer

    with pytest.raises(RemoteError, match="first: WORKER_DIED"):
        ask(way, models)
    assert asked(gateway) == ["first"]


@WAYS
def test_an_unusable_answer_is_none(way: str, models: Any, target: Any, gateway: FakeGateway) -> None:
    for name, kind, bad in (
        (GENERATE, model_pb2.ModelServiceGenerateRequest, {"message": {"role": "ROLE_USER"}}),
        (STREAM, model_pb2.ModelServiceStreamRequest, {"chunk": {"role": "ROLE_USER"}}),
    ):
        response: Any = getattr(model_pb2, kind.__name__.replace("Request", "Response"))
        wire = response(**bad).SerializeToString()
        gateway.answers[name] = _by_target(kind, gateway.answers[name], {"first": lambda r, c, wire=wire: [wire]})

    assert ask(way, models).response_metadata["firebreak_target"] == "second"


@WAYS
def test_bound_tools_and_parameters_are_the_same_for_all(
    way: str, models: Any, target: Any, gateway: FakeGateway
) -> None:
    target("first", "OVERLOADED")
    model = models.model_copy(update={"temperature": 0.5})

    answer = ask(way, model, "add", model.bind_tools([add]))

    assert [call["args"] for call in answer.tool_calls] == [{"a": 5}]
    kind: Any = model_pb2.ModelServiceGenerateRequest
    first, second = (kind.FromString(seen.request).prompt for seen in gateway.seen)
    second.target = "first"
    assert first == second and first.parameters_json == b'{"temperature":0.5}'


@WAYS
def test_a_model_without_tools_is_left_out_where_tools_are_offered(
    way: str, door: Gateway, target: Any, gateway: FakeGateway
) -> None:
    mute = RemoteChatModel(target="mute", model_name="mute", calls_tools=False, gateway=door)
    order = RemoteChatModel.in_order([mute, RemoteChatModel(target="able", model_name="able", gateway=door)])

    ask(way, order, "add", order.bind_tools([add]))
    ask(way, order)

    assert asked(gateway) == ["able", "mute"]


def test_tools_that_no_model_can_ask_for_are_refused(door: Gateway) -> None:
    mute = RemoteChatModel(target="mute", model_name="mute", calls_tools=False, gateway=door)

    with pytest.raises(ValueError, match="cannot ask for tools"):
        RemoteChatModel.in_order([mute, mute]).bind_tools([add])


def test_callbacks_hear_of_one_run(models: Any, target: Any) -> None:
    target("first", "CIRCUIT_OPEN")
    heard = Recorder()

    ask("stream", models, callbacks=[heard])

    events = heard.events("llm")
    assert (events[0], events[-1]) == ("on_chat_model_start", "on_llm_end")
    assert set(events[1:-1]) == {"on_llm_new_token"}


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_without_time_left_no_other_is_asked(way: str, models: Any, target: Any, gateway: FakeGateway) -> None:
    def waits(request: bytes, context: Any) -> Iterator[bytes]:
        gateway.seen[-1].cancelled.wait(10)
        yield b""

    gateway.answers[GENERATE] = waits
    token = current.set(CallContext(deadline=time.monotonic() + 0.3))
    try:
        with pytest.raises(RemoteError, match="DEADLINE_EXCEEDED"):
            ask(way, models)
    finally:
        current.reset(token)
    assert asked(gateway) == ["first"]


def test_one_model_alone_says_nothing_of_an_order(target: Any, door: Gateway) -> None:
    alone = RemoteChatModel.in_order([RemoteChatModel(target="first", model_name="first", gateway=door)])

    assert "firebreak_target" not in alone.invoke([HumanMessage("x")]).response_metadata
    assert "fallbacks" not in alone._identifying_params


def test_the_order_is_part_of_what_identifies_the_model(models: Any) -> None:
    assert models._identifying_params["fallbacks"] == ["second", "third"]


@pytest.mark.parametrize(
    ("profiles", "common"),
    [
        ([{"max_input_tokens": 5, "tool_calling": True}] * 2, {"max_input_tokens": 5, "tool_calling": True}),
        (
            [{"max_input_tokens": 5, "a": True}, {"max_input_tokens": 3, "a": False}],
            {"max_input_tokens": 3, "a": False},
        ),
        ([{"only": True, "word": "x"}, {"word": "y"}], {}),
        ([{"word": "x"}, {"word": "x"}], {"word": "x"}),
        ([{"a": True}, None], None),
        ([{"a": True}, {}], None),
    ],
)
def test_the_common_profile_promises_what_all_keep(profiles: Any, common: Any) -> None:
    assert common_profile(profiles) == common
