"""An agent's proxies are made from what the gateway describes; what is not there is waited for, then left out and named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from firebreak_runtime.remote import RemoteError, connect
from firebreak_runtime.remote.remote_model import RemoteChatModel
from firebreak_runtime.served import WorkerEnv

from tests.unit.runtime.fake_gateway import FakeGateway

connect_all = connect.connect

TOOL = "/firebreak.v1.ToolService/Describe"
MODEL = "/firebreak.v1.ModelService/Describe"


class Time:
    """A clock that only sleeping moves; `at_sleep` runs once, at the first sleep."""

    def __init__(self, at_sleep: Any = None) -> None:
        self.now, self.naps, self._at_sleep = 0.0, 0, at_sleep

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.naps += 1
        if self._at_sleep is not None:
            self._at_sleep()
            self._at_sleep = None


async def made(env: WorkerEnv, time: Time) -> connect.Proxies:
    return await connect_all(env, clock=time.clock, sleep=time.sleep)


async def test_everything_that_is_there(serve: Any, env: WorkerEnv) -> None:
    serve("add", "tool")
    serve("scripted", "model")

    proxies = await made(env, time := Time())

    assert [tool.name for tool in proxies.tools] == ["add"]
    assert proxies.model is not None and proxies.model.target == "router" and proxies.model.calls_tools
    assert (proxies.missing, time.naps) == ((), 0)


async def test_what_starts_late_is_waited_for(serve: Any, env: WorkerEnv, gateway: FakeGateway) -> None:
    serve("scripted", "model")
    gateway.fail(TOOL, "TARGET_NOT_READY")

    proxies = await made(env, time := Time(lambda: serve("add", "tool")))

    assert [tool.name for tool in proxies.tools] == ["add"]
    assert time.naps == 1


async def test_what_never_comes_is_named(serve: Any, env: WorkerEnv, gateway: FakeGateway) -> None:
    serve("scripted", "model")
    gateway.fail(TOOL, "TARGET_NOT_READY")

    proxies = await made(env, time := Time())

    assert (proxies.tools, proxies.missing) == ((), ("add",))
    assert 9 < time.now <= 10


@pytest.mark.parametrize("reason", ["POLICY_DENIED", "TARGET_UNKNOWN", "CREDENTIALS_INVALID"])
async def test_what_waiting_does_not_help_is_left_out_at_once(
    serve: Any, env: WorkerEnv, gateway: FakeGateway, reason: str
) -> None:
    serve("scripted", "model")
    gateway.fail(TOOL, reason)

    proxies = await made(env, time := Time())

    assert (proxies.missing, time.naps) == (("add",), 0)


async def test_a_missing_model_is_a_model_whose_calls_fail(serve: Any, env: WorkerEnv, gateway: FakeGateway) -> None:
    serve("add", "tool")
    gateway.fail(MODEL, "POLICY_DENIED")

    proxies = await made(env, Time())

    assert proxies.missing == ("router",)
    assert isinstance(proxies.model, RemoteChatModel)
    with pytest.raises(RemoteError):
        await proxies.model.ainvoke("hello")


async def test_models_are_asked_in_their_order(serve: Any, env: WorkerEnv) -> None:
    serve("add", "tool")
    serve("scripted", "model")
    service = replace(env.service, uses_models=("router", "other"))

    proxies = await made(replace(env, service=service), Time())

    assert proxies.model is not None and proxies.missing == ()
    assert [model.target for model in (proxies.model, *proxies.model.fallbacks)] == ["router", "other"]


async def test_a_missing_model_keeps_its_place_in_the_order(serve: Any, env: WorkerEnv, gateway: FakeGateway) -> None:
    serve("add", "tool")
    serve("scripted", "model")
    fine = gateway.answers[MODEL]
    gateway.fail(MODEL, "TARGET_UNKNOWN")
    missing = gateway.answers[MODEL]
    gateway.answers[MODEL] = lambda request, context: (missing if b"gone" in request else fine)(request, context)
    service = replace(env.service, uses_models=("gone", "router"))

    proxies = await made(replace(env, service=service), Time())

    assert proxies.missing == ("gone",)
    assert proxies.model is not None and proxies.model.target == "gone"
    assert [model.model_name for model in proxies.model.fallbacks] == ["scripted"]


async def test_an_agent_that_uses_nothing_asks_nothing(env: WorkerEnv, gateway: FakeGateway) -> None:
    alone = replace(env, service=replace(env.service, uses_tools=(), uses_models=()))

    assert await made(alone, Time()) == connect.Proxies((), None, ())
    assert gateway.seen == []


async def test_a_description_that_is_no_json_is_left_out(serve: Any, env: WorkerEnv, gateway: FakeGateway) -> None:
    from firebreak.v1 import tool_pb2

    serve("scripted", "model")
    spec = tool_pb2.ToolSpec(name="add", input_schema_json=b"{")
    gateway.answers[TOOL] = lambda request, context: [
        tool_pb2.ToolServiceDescribeResponse(spec=spec).SerializeToString()
    ]

    assert (await made(env, Time())).missing == ("add",)
