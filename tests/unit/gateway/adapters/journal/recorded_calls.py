"""Calls as they look to the journal when they have ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from firebreak.v1 import payload_pb2, tool_pb2

from gateway import verdict, views
from gateway.adapters.journal.rows import CALL
from gateway.adapters.journal.writing.entries import Drafter, Entry
from gateway.call import Attempt, Call, Peer
from gateway.config import Recorded
from gateway.errors import Code
from gateway.policy import Decision, DenyReason, Obligations
from gateway.service import Finish
from gateway.targets import Description, Target
from tests.calls import make_call, make_target

SALT = b"k" * 32
WALL = 1_700_000_000.0


def entropy(size: int) -> bytes:
    return b"\x07" * size


def drafter(inline: int = 4096) -> Drafter:
    return Drafter(inline, SALT, entropy)


def request(args: bytes = b'{"expression":"1+1"}') -> bytes:
    return tool_pb2.ToolServiceCallRequest(
        call=tool_pb2.ToolCall(target="calculator", tool_call_id="c1", args_json=args)
    ).SerializeToString()


def answer(text: str = "2") -> bytes:
    return tool_pb2.ToolServiceCallResponse(
        result=tool_pb2.ToolResult(status=1, content=[payload_pb2.ContentBlock(text=text)])
    ).SerializeToString()


def target(**recorded: Any) -> Target:
    found = make_target()
    found.config = found.config.model_copy(update={"journal": Recorded(**recorded)})
    found.description = Description(
        b"", "calculator", "", "1.2.3", "langchain", "1.4.7", "1.7.2", "3.11.7", {}, "a" * 64
    )
    return found


def unknown_call(sent: bytes = b"") -> Call:
    """A call that was refused before anybody knew whose it was."""
    call = replace(make_call(), request=sent, principal=None, session=None, peer=Peer("ipv4:192.0.2.1:40000"))
    call.facts.request_bytes = len(sent)
    return call


def known_call(sent: bytes, **changes: Any) -> Call:
    """A call that was refused before its target was known."""
    call = replace(unknown_call(sent), **changes)
    facts = call.facts
    facts.principal, facts.issuer = "service:assistant", "https://services.test"
    facts.session, facts.parent, facts.depth = "1" * 32, "2" * 32, 1
    facts.chain = ("user:ada", "service:assistant")
    return call


def answered_call(
    recorded: dict[str, Any] | None = None, *, sent: bytes = b"", answers: tuple[bytes, ...] = ()
) -> Call:
    """A call that policy allowed and the calculator answered."""
    sent, answers = sent or request(), answers or (answer(),)
    called = target(**({"requests": "full", "answers": "full"} if recorded is None else recorded))
    call = known_call(sent, metadata=(("traceparent", f"00-{'a1' * 16}-{'b2' * 8}-01"),))
    call = call.narrowed(call.deadline, target=called, view=views.read(call.method, sent))
    facts = call.facts
    facts.target, facts.resolved, facts.described = called.name, called, called.description
    asker = make_call(called, principal="service:assistant", depth=1)
    facts.document = verdict.document(asker, called, call.method.action, call.view)
    facts.judged = Decision(
        "d" * 32,
        True,
        (DenyReason("grants.tools", "Ada may calculate."),),
        Obligations(2.5, 4096),
        "f" * 64,
        "embedded",
    )
    facts.decision, facts.rules, facts.revision = "d" * 32, ("grants.tools",), "f" * 64
    facts.attempts = [Attempt(0.001, Code.UNAVAILABLE, "TARGET_UNAVAILABLE"), Attempt(0.003, Code.OK)]
    facts.stages = {"validate": 0.00025}
    facts.response_bytes, facts.events, facts.first_event = sum(map(len, answers)), len(answers), 0.004
    facts.answers = list(answers)
    return call


def ended(call: Call, outcome: Finish | BaseException | None = None, **changes: Any) -> Entry:
    """The entry of `call`, which took 5 ms and ended at WALL."""
    return replace(Entry(CALL, call, outcome or Finish(), Code.OK, "", WALL, 0.005), **changes)
