"""Making the proxies from what the gateway describes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from firebreak_runtime.json_values import JsonError
from firebreak_runtime.remote import remote_model as models
from firebreak_runtime.remote import remote_tool as tools
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.gateway import Gateway
from firebreak_runtime.remote.remote_model import RemoteChatModel
from firebreak_runtime.remote.remote_tool import RemoteTool
from firebreak_runtime.served import WorkerEnv

T = TypeVar("T")

WAIT = 10.0
"""Seconds that an agent's start waits for its tools and its model to be there."""

_PAUSE = 0.2
_DESCRIBE_TIMEOUT = 5.0
_WORTH_WAITING = frozenset(
    {
        "TARGET_UNAVAILABLE",
        "TARGET_NOT_READY",
        "CIRCUIT_OPEN",
        "DRAINING",
        "WORKER_DIED",
        "DEADLINE_EXCEEDED",
        "FIRST_EVENT_TIMEOUT",
        "RATE_LIMITED",
        "OVERLOADED",
        "CONCURRENCY_LIMITED",
        "POLICY_UNAVAILABLE",
        "CREDENTIALS_MISSING",
        "CREDENTIALS_EXPIRED",
    }
)
"""Reasons that pass by themselves while everything starts; a denial or an unknown name does not."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proxies:
    """What an agent is built with. `missing` are the names of services that are not there; `model` is None without one."""

    tools: tuple[RemoteTool, ...]
    model: RemoteChatModel | None
    missing: tuple[str, ...]


def gateway_of(env: WorkerEnv) -> Gateway:
    """The door out of a worker, secured as its host was told."""
    if env.tls is None:
        return Gateway(env.gateway, env.token_file)
    from firebreak.client.connection import Tls

    return Gateway(env.gateway, env.token_file, Tls(env.tls.ca, env.tls.certificate, env.tls.key))


def tool(name: str, env: WorkerEnv, gateway: Gateway | None = None) -> RemoteTool:
    """The tool of the service `name`. Raises RemoteError."""
    gateway = gateway or gateway_of(env)
    answer = gateway.call(tools.DESCRIBE, name, tools.describing(name), _DESCRIBE_TIMEOUT)
    return RemoteTool.from_spec(answer.spec, name, gateway)


def chat_model(name: str, env: WorkerEnv, gateway: Gateway | None = None) -> RemoteChatModel:
    """The chat model of the service `name`. Raises RemoteError."""
    gateway = gateway or gateway_of(env)
    answer = gateway.call(models.DESCRIBE, name, models.describing(name), _DESCRIBE_TIMEOUT)
    return RemoteChatModel.from_spec(answer.spec, name, gateway)


async def atool(name: str, gateway: Gateway) -> RemoteTool:
    """As `tool`, on an event loop."""
    answer = await gateway.acall(tools.DESCRIBE, name, tools.describing(name), _DESCRIBE_TIMEOUT)
    return RemoteTool.from_spec(answer.spec, name, gateway)


async def achat_model(name: str, gateway: Gateway) -> RemoteChatModel:
    """As `chat_model`, on an event loop."""
    answer = await gateway.acall(models.DESCRIBE, name, models.describing(name), _DESCRIBE_TIMEOUT)
    return RemoteChatModel.from_spec(answer.spec, name, gateway)


async def connect(
    env: WorkerEnv,
    *,
    wait: float = WAIT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Proxies:
    """Everything that the service uses, its models as one that asks them in order. What is not there within `wait` seconds is
    left out and named.

    A model that is not there is still a model: its calls fail until it is.
    """
    gateway = gateway_of(env)
    until = clock() + wait

    async def patiently(make: Callable[[str, Gateway], Awaitable[T]], name: str) -> T | None:
        while True:
            try:
                return await make(name, gateway)
            except RemoteError as error:
                if error.reason not in _WORTH_WAITING or clock() + _PAUSE > until:
                    _log.warning("%s is not there: %s", name, error.reason)
                    return None
            except JsonError:
                _log.warning("%s is left out: what it describes is no JSON", name)
                return None
            await sleep(_PAUSE)

    tools_used, models_used = env.service.uses_tools, env.service.uses_models
    found = await asyncio.gather(*(patiently(atool, used) for used in tools_used))
    asked = await asyncio.gather(*(patiently(achat_model, used) for used in models_used))
    missing = [used for used, proxy in zip((*tools_used, *models_used), (*found, *asked), strict=True) if proxy is None]
    in_order = [
        model or RemoteChatModel(target=used, model_name=used, gateway=gateway)
        for used, model in zip(models_used, asked, strict=True)
    ]
    model = RemoteChatModel.in_order(in_order) if in_order else None
    return Proxies(tuple(proxy for proxy in found if proxy is not None), model, tuple(missing))
