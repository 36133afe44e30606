"""An agent in another process, as a LangChain Runnable."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any

from firebreak.v1 import agent_pb2
from langchain_core.callbacks import (
    AsyncCallbackManagerForChainRun,
    CallbackManagerForChainRun,
)
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import (
    ensure_config,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
)
from langchain_core.tools import BaseTool
from langchain_core.tools.convert import convert_runnable_to_tool
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import override

from firebreak_runtime.remote.agent_input import Asked, read_input
from firebreak_runtime.remote.agent_modes import Modes
from firebreak_runtime.remote.agent_run import Finished, Happening, Reached, Run
from firebreak_runtime.remote.agent_tool import agent_tool
from firebreak_runtime.remote.gateway import Gateway, Rpc
from firebreak_runtime.remote.retold import AsyncTeller, Story, Teller

DESCRIBE = Rpc("/firebreak.v1.AgentService/Describe", agent_pb2.AgentServiceDescribeResponse)
INVOKE = Rpc("/firebreak.v1.AgentService/Invoke", agent_pb2.AgentServiceInvokeResponse)
RUN = Rpc("/firebreak.v1.AgentService/Run", agent_pb2.AgentServiceRunResponse)


class RemoteAgent(RunnableSerializable[Any, dict[str, Any]]):
    """Runs the agent of the service `target` through the gateway. Every failure is raised as a RemoteError.

    It is used as what `create_agent` makes: it takes {"messages": […], …}, and also a text, a message or a list of them; it
    answers {"messages": the conversation, …}, and streams by the modes "values", "updates" (the default), "messages" and
    "custom". Further state travels as state_json.py has it, both ways: `state_keys` are the names of what is sent, None is all.
    A "structured_response" becomes a `response_type` where one is set. The agent remembers nothing between calls, and of the
    configuration only callbacks, tags, metadata and names count, on this side. `timeout` is in seconds and only shortens what
    is left of the running call.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    target: str
    description: str = ""
    response_type: Any = None
    state_keys: tuple[str, ...] | None = None
    timeout: float | None = None
    gateway: Gateway = Field(exclude=True, repr=False)

    @classmethod
    def from_spec(cls, spec: agent_pb2.AgentSpec, target: str, gateway: Gateway) -> RemoteAgent:
        """The proxy of a described agent."""
        return cls(target=target, name=spec.name or target, description=spec.description, gateway=gateway)

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        _none_but_these(kwargs)
        return self._call_with_config(self._invoke, input, config)

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> dict[str, Any]:
        _none_but_these(kwargs)
        return await self._acall_with_config(self._ainvoke, input, config)

    @override
    def stream(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        _none_but_these(kwargs)
        config = ensure_config(config)
        modes = Modes(stream_mode or "updates", config.get("metadata") or {})
        manager = get_callback_manager_for_config(config)
        name, run_id = config.get("run_name") or self.get_name(), config.pop("run_id", None)
        run = manager.on_chain_start(None, input, name=name, run_id=run_id)
        output: dict[str, Any] = {}
        try:
            with closing(self._run(self._asked(input), run, modes.values)) as happenings:
                for happening in happenings:
                    output = happening.state if isinstance(happening, Finished) else output
                    yield from modes.items(happening)
        except BaseException as error:
            run.on_chain_error(error)
            raise
        run.on_chain_end(output)

    @override
    async def astream(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        stream_mode: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        _none_but_these(kwargs)
        config = ensure_config(config)
        modes = Modes(stream_mode or "updates", config.get("metadata") or {})
        manager = get_async_callback_manager_for_config(config)
        name, run_id = config.get("run_name") or self.get_name(), config.pop("run_id", None)
        run = await manager.on_chain_start(None, input, name=name, run_id=run_id)
        output: dict[str, Any] = {}
        try:
            async with aclosing(self._arun(self._asked(input), run, modes.values)) as happenings:
                async for happening in happenings:
                    output = happening.state if isinstance(happening, Finished) else output
                    for item in modes.items(happening):
                        yield item
        except BaseException as error:
            await run.on_chain_error(error)
            raise
        await run.on_chain_end(output)

    @override
    def as_tool(self, args_schema: Any = None, **kwargs: Any) -> BaseTool:
        """The agent as a tool of another one: it takes a text and answers with one. With `args_schema` or `arg_types` the tool
        takes those as the agent's input and answers with its whole output, as LangChain has it."""
        if args_schema is not None or kwargs.get("arg_types"):
            return convert_runnable_to_tool(self, args_schema, **kwargs)
        name = kwargs.get("name") or self.target.replace("-", "_")
        description = kwargs.get("description") or self.description or f"Asks the agent {self.target}."
        return agent_tool(self, name, description)

    def _invoke(self, given: Any, run_manager: CallbackManagerForChainRun) -> dict[str, Any]:
        asked = self._asked(given)
        if not run_manager.handlers:
            request = agent_pb2.AgentServiceInvokeRequest(input=asked.wire(self.target))
            answer = self.gateway.call(INVOKE, self.target, request, self.timeout)
            return self._typed(Run(self.target, asked).finished(answer.result))
        output: dict[str, Any] = {}
        for happening in self._run(asked, run_manager, states=False):
            output = happening.state if isinstance(happening, Finished) else output
        return output

    async def _ainvoke(self, given: Any, run_manager: AsyncCallbackManagerForChainRun) -> dict[str, Any]:
        asked = self._asked(given)
        if not run_manager.handlers:
            request = agent_pb2.AgentServiceInvokeRequest(input=asked.wire(self.target))
            answer = await self.gateway.acall(INVOKE, self.target, request, self.timeout)
            return self._typed(Run(self.target, asked).finished(answer.result))
        output: dict[str, Any] = {}
        async for happening in self._arun(asked, run_manager, states=False):
            output = happening.state if isinstance(happening, Finished) else output
        return output

    def _run(
        self, asked: Asked, run_manager: CallbackManagerForChainRun, states: bool
    ) -> Generator[Happening, None, None]:
        """What happens in one run, told to the callbacks too."""
        run, story, teller = Run(self.target, asked), Story(self.target, asked), Teller(run_manager.get_child())
        try:
            with closing(self.gateway.stream(RUN, self.target, self._request(asked, states), self.timeout)) as events:
                for event in events:
                    happening = run.take(event)
                    if happening is not None:
                        teller.tell(story.steps(happening))
                        yield self._typed_in(happening)
            run.check()
        except BaseException as error:
            teller.tell(story.failed(error))
            raise

    async def _arun(
        self, asked: Asked, run_manager: AsyncCallbackManagerForChainRun, states: bool
    ) -> AsyncGenerator[Happening, None]:
        run, story, teller = Run(self.target, asked), Story(self.target, asked), AsyncTeller(run_manager.get_child())
        try:
            stream = self.gateway.astream(RUN, self.target, self._request(asked, states), self.timeout)
            async with aclosing(stream) as events:
                async for event in events:
                    happening = run.take(event)
                    if happening is not None:
                        await teller.tell(story.steps(happening))
                        yield self._typed_in(happening)
            run.check()
        except BaseException as error:
            await teller.tell(story.failed(error))
            raise

    def _asked(self, given: Any) -> Asked:
        return read_input(given, self.state_keys)

    def _request(self, asked: Asked, states: bool) -> agent_pb2.AgentServiceRunRequest:
        return agent_pb2.AgentServiceRunRequest(input=asked.wire(self.target), whole_chunks=True, states=states)

    def _typed_in(self, happening: Happening) -> Happening:
        if isinstance(happening, (Reached, Finished)):
            return replace(happening, state=self._typed(happening.state))
        return happening

    def _typed(self, state: dict[str, Any]) -> dict[str, Any]:
        """The state with its structured response as the caller's own type."""
        response = state.get("structured_response")
        if self.response_type is None or response is None:
            return state
        try:
            return {**state, "structured_response": TypeAdapter(self.response_type).validate_python(response)}
        except ValidationError:
            name = getattr(self.response_type, "__name__", "response_type")
            Run(self.target, Asked([], {})).violated(f"its structured response is no {name}")


def describing(target: str) -> agent_pb2.AgentServiceDescribeRequest:
    return agent_pb2.AgentServiceDescribeRequest(target=target)


def _none_but_these(kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"a remote agent takes no {', '.join(sorted(kwargs))}")
