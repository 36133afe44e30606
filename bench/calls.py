"""Calls as the gateway has them when they end, for benchmarks: sessions of ten, an agent's run with nine calls of its tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

from firebreak.v1 import payload_pb2, tool_pb2

from gateway.call import Attempt, Call, Facts, Peer, Principal, Session, View
from gateway.config import ServiceConfig
from gateway.core.deadline import Deadline
from gateway.errors import Code
from gateway.policy import Decision, DenyReason, Obligations
from gateway.routes import METHODS
from gateway.targets import Description, State, Target
from gateway.verdict import document

SESSION = 10
"""Calls in a session: the first is the agent's, the others are its children."""

REQUEST = tool_pb2.ToolServiceCallRequest(
    call=tool_pb2.ToolCall(target="calculator", tool_call_id="call_1", args_json=b'{"expression": "1234 * 5678"}')
).SerializeToString()
ANSWER = tool_pb2.ToolServiceCallResponse(
    result=tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=[payload_pb2.ContentBlock(text="7006652")])
).SerializeToString()

_METHOD = METHODS["/firebreak.v1.ToolService/Call"]
_STAGES = ("deadline", "authenticate", "admit", "validate", "authorize", "bulkhead", "forward")


def target() -> Target:
    """A described tool that is recorded as the shipped ones are."""
    config = ServiceConfig.model_validate(
        {"name": "calculator", "kind": "tool", "version": "1.0.0", "entrypoint": "a:b", "effect": "READ"}
    )
    described = Description(b"", "calculator", "", "1.0.0", "langchain-core", "1.7.2", "1.7.2", "3.11.2", {}, "a" * 64)
    return Target(config, "unix:calculator.sock", "service:calculator", State.READY, "", described)


def calls(new_id: Callable[[], str], clock: Callable[[], float]) -> Iterator[Call]:
    """Calls without end, each complete but for its answer.

    They are copies of two that were made whole, with ids of their own: to make each whole takes longer than the journal does.
    """
    to, now = target(), clock()
    first, child = (_call("0" * 32, "0" * 32, parent, to, "0" * 32, now) for parent in ("", "0" * 32))
    while True:
        session = new_id()
        yield _with_ids(first, session, session, "", new_id())
        for _ in range(SESSION - 1):
            yield _with_ids(child, new_id(), session, session, new_id())


def _with_ids(template: Call, call_id: str, session: str, parent: str, decision: str) -> Call:
    made, facts = copy(template), copy(template.facts)
    facts.session, facts.parent, facts.decision, facts.answers = session, parent, decision, []
    object.__setattr__(made, "id", call_id)  # frozen for everyone else
    object.__setattr__(made, "facts", facts)
    return made


def _call(call_id: str, session: str, parent: str, to: Target, decision_id: str, now: float) -> Call:
    chain = ("user:developer", "service:assistant") if parent else ("user:developer",)
    decision = Decision(
        decision_id, True, (DenyReason("grants.calculator.developer", "granted"),), Obligations(), "b" * 64, "embedded"
    )
    view = View("calculator", {"expression": "1234 * 5678"}, b'{"expression": "1234 * 5678"}', tool_call_id="call_1")
    facts = Facts(
        started=now - 0.005, request_bytes=len(REQUEST), response_bytes=len(ANSWER), events=1, first_event=now
    )
    made = Call(
        call_id, _METHOD, (), REQUEST, Deadline(now + 5), "public", Peer("ipv4:127.0.0.1:50000"), facts,
        Principal(chain[-1], "users"), Session(session, chain, parent or None, len(chain) - 1), view, to,
    )  # fmt: skip
    known: dict[str, Any] = {
        "principal": chain[-1], "session": session, "parent": parent, "chain": chain, "depth": len(chain) - 1,
        "target": to.name, "decision": decision_id, "revision": decision.revision, "judged": decision,
        "rules": ("grants.calculator.developer",), "attempts": [Attempt(0.0021, Code.OK)],
        "stages": {name: 0.0001 * position for position, name in enumerate(_STAGES, 1)},
        "document": document(made, to, _METHOD.action, view), "complete": True,
    }  # fmt: skip
    for name, value in known.items():
        setattr(facts, name, value)
    return made
