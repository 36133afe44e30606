"""Agents of the day: they are told what to try, and tell what became of each call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from firebreak.client.errors import from_rpc_error
from firebreak.client.payload import agent_input, text_of
from firebreak.v1 import agent_pb2, agent_pb2_grpc

from cli.gameday.calls import CALL_ID, Caller, headers, new_trace
from cli.gameday.fault import Answer
from cli.gameday.guests import environment, guest
from cli.gameday.instance import PrivateInstance

PUPPETS = ("puppet", "twin")
TIMEOUT = 20.0


def puppets(instance: PrivateInstance) -> None:
    """Two agents, which may call each other, the ledger and the meter; and somebody who may ask them and nothing else."""
    for name in PUPPETS:
        guest(instance, "puppet", name, environment("assistant"))
    holders = {"principals": [f"service:{name}" for name in PUPPETS]}
    instance.edit("data/roles.yaml", lambda data: data["roles"].update({"puppets": holders}))

    def granted(data: dict[str, Any]) -> None:
        for target in (*PUPPETS, "ledger", "meter"):
            grant = {
                "roles": ["puppets"],
                "actions": ["describe", "call"],
            }  # each its own: YAML would make them aliases
            data["grants"].setdefault(target, {}).update(puppets=grant)

    instance.edit("data/grants.yaml", granted)


@dataclass(frozen=True)
class Told:
    """The agent's own call, and each call that it says it tried."""

    own: Answer
    tried: tuple[Answer, ...]


async def tell(
    caller: Caller, agent: str, orders: Mapping[str, Any], wanted: str | tuple[str, ...], timeout: float = TIMEOUT
) -> Told:
    """Gives an agent orders and waits. `wanted` is what must come of each call that it tries: all are judged as calls from here
    are."""
    trace, sent = new_trace(), time.monotonic()
    request = agent_pb2.AgentServiceInvokeRequest(input=agent_input(agent, json.dumps(orders)))
    rpc = agent_pb2_grpc.AgentServiceStub(caller.channel).Invoke(
        request, timeout=timeout, metadata=headers(caller.token_file, trace)
    )
    tried: list[dict[str, Any]] = []
    code, reason, text = "OK", "", ""
    try:
        tried = json.loads(text_of((await rpc).result.message))
    except grpc.aio.AioRpcError as error:
        failure = from_rpc_error(error)
        code, reason, text = failure.code, failure.reason, failure.message
    at = time.monotonic()
    call_id = next((str(value) for key, value in await rpc.trailing_metadata() or () if key == CALL_ID), "")
    own = Answer(code, reason, at - sent - timeout, call_id, trace, at - sent, at, text)
    answers = _answers(tried, (wanted,) if isinstance(wanted, str) else wanted)
    caller.answers += [own, *answers]
    return Told(own, answers)


def _answers(tried: Iterable[Mapping[str, Any]], wanted: tuple[str, ...]) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            code=one["code"],
            reason=one["reason"],
            call_id=one["call_id"],
            trace=one["trace"],
            text=one["text"],
            metadata=one.get("metadata", {}),
            wanted=wanted,
        )
        for one in tried
    )
