"""One line a call, complete and without secrets; the program's own messages in the same form."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from gateway.adapters.telemetry.log import CallLog, configure
from gateway.call import Attempt, Call
from gateway.errors import Code
from tests.unit.gateway.chain_fakes import START, authenticated, call, tool_request

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def finished() -> Call:
    given = (("authorization", "Bearer SECRET"), ("firebreak-session", "SECRET"), ("traceparent", PARENT))
    made = authenticated(call(request=tool_request(args=b'{"expression": "SECRET"}'), metadata=given))
    facts = made.facts
    facts.principal, facts.session, facts.chain = "user:developer", "s1", ("user:developer",)
    facts.target, facts.decision, facts.revision, facts.rules = "calculator", "d1", "r" * 64, ("grants[0]",)
    facts.attempts = [Attempt(0.002, Code.UNAVAILABLE, "WORKER_DIED"), Attempt(0.001, Code.OK)]
    facts.stages = {"authenticate": 0.0001, "forward": 0.0005}
    facts.request_bytes, facts.response_bytes, facts.events, facts.first_event = 40, 20, 1, START + 0.003
    return made


def line(made: Call, code: Code = Code.OK, reason: str = "") -> dict[str, Any]:
    lines: list[bytes] = []
    CallLog("json", lines.append).call(made, code, reason, START + 0.0041234)
    assert len(lines) == 1
    assert b"\n" not in lines[0]
    fields: dict[str, Any] = orjson.loads(lines[0])
    return fields


def test_a_line_says_what_happened() -> None:
    fields = line(finished())
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {
        "event": "call",
        "level": "info",
        "call_id": "c" * 32,
        "method": "/firebreak.v1.ToolService/Call",
        "target": "calculator",
        "code": "OK",
        "reason": "",
        "ms": 4.123,
        "principal": "user:developer",
        "session": "s1",
        "chain": ["user:developer"],
        "depth": 0,
        "parent": "",
        "decision": "d1",
        "rules": ["grants[0]"],
        "revision": "r" * 12,
        "attempts": [
            {"ms": 2.0, "code": "UNAVAILABLE", "reason": "WORKER_DIED"},
            {"ms": 1.0, "code": "OK", "reason": ""},
        ],
        "first_event_ms": 3.0,
        "events": 1,
        "request_bytes": 40,
        "response_bytes": 20,
        "stages_us": {"authenticate": 100, "forward": 500},
        "listener": "local",
        "peer": "test",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "correlation_id": "",
    }


def test_a_line_holds_no_credential_and_no_argument() -> None:
    for mode in ("json", "console"):
        lines: list[bytes] = []
        CallLog(mode, lines.append).call(finished(), Code.OK, "", START)  # type: ignore[arg-type]
        assert b"SECRET" not in lines[0]
        assert b"Bearer" not in lines[0]


def test_a_call_that_was_rejected_first_thing_has_a_line_too() -> None:
    fields = line(call(), Code.UNAUTHENTICATED, "CREDENTIALS_MISSING")
    assert (fields["level"], fields["code"], fields["reason"]) == ("warning", "UNAUTHENTICATED", "CREDENTIALS_MISSING")
    assert (fields["target"], fields["principal"], fields["attempts"]) == ("", "", [])


def test_the_console_shows_what_a_person_reads() -> None:
    lines: list[bytes] = []
    CallLog("console", lines.append).call(finished(), Code.OK, "", START + 0.004)
    text = lines[0].decode()
    assert "calculator" in text
    assert "user:developer" in text
    assert "stages" not in text


@pytest.fixture
def root() -> Iterator[None]:
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.usefixtures("root")
def test_the_programs_messages_have_the_same_form() -> None:
    lines: list[bytes] = []
    configure("json", lines.append)
    try:
        raise ValueError("the cause")
    except ValueError:
        logging.getLogger("gateway.test").exception("went %s", "wrong", extra={"call_id": "c1"})
    fields = orjson.loads(lines[0])
    assert (fields["event"], fields["level"], fields["logger"], fields["call_id"]) == (
        "went wrong",
        "error",
        "gateway.test",
        "c1",
    )
    assert "ValueError: the cause" in fields["exception"]
    assert b"\n" not in lines[0]


@pytest.mark.usefixtures("root")
def test_messages_on_a_console_are_text() -> None:
    lines: list[bytes] = []
    configure("console", lines.append)
    logging.getLogger("gateway.test").info("listening on \ud800 %s", 7500)
    assert b"listening on" in lines[0]
    logging.getLogger("gateway.test").debug("details")
    assert len(lines) == 1
