"""A journal in a folder of its own, with a session as an assistant makes one, and whatever else a test puts in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml
from firebreak.v1 import agent_pb2, model_pb2, payload_pb2, record_pb2, tool_pb2

from gateway.adapters.config_files import load
from gateway.adapters.journal.author import Author, Drafted
from gateway.adapters.journal.databases.open import open_store
from gateway.adapters.journal.heads import Heads
from gateway.adapters.journal.rows import CALL, OPENED, Draft, part
from gateway.adapters.journal.store import Store

ROOT = Path(__file__).parents[4]
NOON = 1_795_262_400_000_000
"""Microseconds since 1970: noon UTC on 21 November 2026."""

RUN = "/firebreak.v1.AgentService/Run"
STREAM = "/firebreak.v1.ModelService/Stream"
TOOL = "/firebreak.v1.ToolService/Call"
SESSION = "5e" * 16
ADA, ASSISTANT = "user:ada", "service:assistant"
FULL, MASKED = record_pb2.RECORDING_FULL, record_pb2.RECORDING_MASKED


def call_id(number: int, at: int = NOON) -> str:
    """An id as the gateway makes it of a call that came in at `at`."""
    return f"{at // 1000:012x}7{number:03x}8{number:015x}"


def write_config(folder: Path, **journal: Any) -> Path:
    """A configuration whose journal is in `folder`."""
    config = yaml.safe_load((ROOT / "firebreak.yaml").read_text())
    config["policy"]["path"] = str(ROOT / "policies")
    config["services"] = [
        entry | {"path": str(ROOT / entry["path"])} for entry in config["services"] if "calculator" in entry["path"]
    ]
    config["journal"] = journal
    file = folder / "firebreak.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def text(words: str, role: int = payload_pb2.ROLE_USER, **fields: Any) -> payload_pb2.Message:
    return payload_pb2.Message(role=role, content=[payload_pb2.ContentBlock(text=words)], **fields)  # type: ignore[arg-type]


def tool_call(target: str, **args: Any) -> bytes:
    call = tool_pb2.ToolCall(target=target, args_json=orjson.dumps(args))
    return tool_pb2.ToolServiceCallRequest(call=call).SerializeToString()


def tool_answer(words: str) -> bytes:
    content = [payload_pb2.ContentBlock(text=words)]
    result = tool_pb2.ToolResult(status=tool_pb2.TOOL_STATUS_OK, content=content)
    return tool_pb2.ToolServiceCallResponse(result=result).SerializeToString()


def prompt(*messages: payload_pb2.Message) -> bytes:
    given = model_pb2.Prompt(target="router", messages=messages)
    return model_pb2.ModelServiceStreamRequest(prompt=given).SerializeToString()


def said(words: str, *requests: tuple[str, dict[str, Any]]) -> bytes:
    wanted = [payload_pb2.ToolRequest(name=name, args_json=orjson.dumps(args)) for name, args in requests]
    message = text(words, payload_pb2.ROLE_ASSISTANT, tool_requests=wanted)
    return model_pb2.ModelServiceStreamResponse(seq=2, finished=message).SerializeToString()


def run_request(question: str) -> bytes:
    given = agent_pb2.AgentInput(target="assistant", messages=[text(question)])
    return agent_pb2.AgentServiceRunRequest(input=given).SerializeToString()


def run_answer(answer: str) -> bytes:
    finished = agent_pb2.RunFinished(message=text(answer, payload_pb2.ROLE_ASSISTANT))
    return agent_pb2.AgentServiceRunResponse(seq=9, run_finished=finished).SerializeToString()


def recorded(
    messages: Sequence[bytes], recording: int = FULL, exact: bool = True, apart: list[tuple[bytes, bytes]] | None = None
) -> record_pb2.RecordedPart:
    """A part that keeps `messages`, unless it only hashes or measures them; with `apart` it is kept there."""
    found = record_pb2.RecordedPart(recording=recording, size=sum(map(len, messages)), count=len(messages))  # type: ignore[arg-type]
    kept = record_pb2.RecordedMessages(messages=messages).SerializeToString()
    if recording == record_pb2.RECORDING_HASHED:
        found.digest = b"\x07" * 32
    elif recording != record_pb2.RECORDING_NONE:
        found.exact = exact
        if apart is None:
            found.inline = kept
        else:
            found.sha256 = hashlib.sha256(kept).digest()
            apart.append((found.sha256, kept))
    return found


class World:
    """The journal of `write_config`, open for writing by one author, whose clock stands at noon and moves by `now`."""

    def __init__(self, folder: Path, writer: str = "a" * 16) -> None:
        self.config = folder / "firebreak.yaml"
        if not self.config.exists():
            write_config(folder)
        loaded = load(self.config)
        self.settings, self.root = loaded.config.journal, loaded.root
        self.now = NOON
        self.store: Store = open_store(self.settings, self.root, durable=False)
        self.heads = Heads(self.root / self.settings.heads)
        self.author = Author(self.store, writer, lambda: self.now / 1_000_000, self.heads)
        self.author.start({"gateway": "0.1.0", "host": "test", "pid": 7, "journal": "best-effort"})

    def close(self) -> None:
        self.author.stop()
        self.store.close()
        self.heads.close()

    def add(self, number: int, **fields: Any) -> str:
        """Puts a call on record and returns its id; see `draft`."""
        drafted = draft(number, **fields)
        self.author.add([drafted])
        return drafted[0].call

    def session(self) -> list[str]:
        """Ada asks the assistant, which asks the model, a tool that answers and one that policy denies; the run's id first."""
        question = "What is 1234 * 5678? Then run it in Python."
        wanted = said("", ("calculator", {"expression": "1234 * 5678"}), ("python", {"code": "1234 * 5678"}))
        told = text("7006652", payload_pb2.ROLE_TOOL, name="calculator")
        run = call_id(1)
        inner: dict[str, Any] = {"parent": run, "principal": ASSISTANT}
        model: dict[str, Any] = {"target": "router", "method": STREAM, "rules": ["service.model"], **inner}
        answered = {"request": tool_call("calculator", expression="1234 * 5678"), "answers": [tool_answer("7006652")]}
        denied: dict[str, Any] = {
            "request": tool_call("python", code="1234 * 5678"),
            "outcome": "PERMISSION_DENIED",
            "reason": "POLICY_DENIED",
            "rules": ["grants.args"],
            "allow": False,
            "message": "calls of python by user:ada are not granted",
        }
        last = [run_answer("It is 7006652.")]
        self.add(2, start=4, ms=18, request=prompt(text(question)), answers=[said(""), wanted], **model)
        self.add(3, start=25, ms=3.4, rules=["grants.developer"], **answered, **inner)
        self.add(4, target="python", start=30, ms=0.6, **denied, **inner)
        self.add(5, start=33, ms=20, request=prompt(text(question), told), answers=[said("It is 7006652.")], **model)
        self.add(
            1,
            target="assistant",
            method=RUN,
            ms=58,
            request=run_request(question),
            rules=["grants.developer"],
            answers=last,
        )
        return [call_id(number) for number in range(1, 6)]


def draft(
    number: int,
    *,
    target: str = "calculator",
    method: str = TOOL,
    at: int = NOON,
    start: float = 0.0,
    ms: float = 2.0,
    parent: str = "",
    session: str = SESSION,
    principal: str | None = ADA,
    request: bytes = b"",
    answers: Sequence[bytes] = (),
    outcome: str = "OK",
    reason: str = "",
    message: str = "",
    rules: Sequence[str] = (),
    allow: bool = True,
    opened: bool = False,
    recording: int = FULL,
    exact: bool = True,
    person: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    large: bool = False,
) -> Drafted:
    """A call that came in `start` milliseconds after `at` and took `ms`; `large` contents are kept apart."""
    started = at + int(start * 1000)
    apart: list[tuple[bytes, bytes]] = []
    content = record_pb2.RecordedContent(
        request=recorded([request], recording, exact, apart if large else None),
        answers=recorded(answers, recording, exact),
        status_message=message,
    )
    told: dict[str, Any] = {"action": "call", "depth": 1 if parent else 0, "listener": "public", "started": started}
    told |= {} if opened else {"ms": ms}
    decided = {"allow": allow, "rules": list(rules), "revision": "ab" * 32, "engine": "embedded"}
    chain = [] if principal is None else [principal] if principal.startswith("user:") else [ADA, principal]
    known = {
        "principal": principal,
        "issuer": "https://users.test",
        "chain": chain,
        "peer": "ipv4:127.0.0.1:5",
        "reasons": [{"rule": rule, "message": message, "field": "args.x"} for rule in rules if not allow],
        "input": {"target": {"name": target}, "args": None},
    }
    return (
        Draft(
            at=started + (0 if opened else int(ms * 1000)),
            kind=OPENED if opened else CALL,
            call=call_id(number, at),
            parent=parent,
            session=session,
            target=target,
            method=method,
            outcome="" if opened else outcome,
            reason=reason,
            decision=f"{number:032x}" if rules else "",
            facts=told | ({"decision": decided} if rules else {}) | dict(facts or {}),
            principal=principal,
            origin=chain[0] if chain else "",
            person=part(orjson.dumps(known if person is None else person), bytes),
            content=part(content.SerializeToString(), bytes),
        ),
        apart,
    )
