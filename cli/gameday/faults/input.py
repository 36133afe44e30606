"""Rows 28 to 30: hostile input, the repeat of a call that changes something, and versions that differ."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import Any

import grpc
import grpc.aio
from firebreak.client.errors import from_rpc_error
from firebreak.v1 import tool_pb2

from cli.gameday.calls import CALL, CALL_ID, Caller, headers, new_trace
from cli.gameday.fault import GRACE, Answer, Fault, Seen, Setting
from cli.gameday.guests import environment, guest
from cli.gameday.instance import PrivateInstance
from cli.gameday.pythons import other_pythons
from cli.gameday.scene import Scene

INVALID = "INVALID_ARGUMENT"
COUNT = {"entry": "count"}
BOM = b"\xef\xbb\xbf"


def nested(depth: int) -> bytes:
    """Arguments of so many levels."""
    return b'{"entry": "", "deep": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


ARGUMENTS: dict[str, bytes] = {
    "no JSON": b"{",
    "no object": b"[1]",
    "nothing": b"",
    "invalid UTF-8": b'{"entry": "\xff\xfe"}',
    "a lone surrogate": b'{"entry": "\\ud800"}',
    "a byte order mark": BOM + b"{}",
    "100 levels": nested(100),
    "100,000 levels": nested(100_000),
    "2^64": b'{"amount": 18446744073709551616}',
    "a number of 10,000 digits": b'{"amount": ' + b"9" * 10_000 + b"}",
    "NaN": b'{"amount": NaN}',
    "a name twice": b'{"entry": "a", "entry": "count"}',
    "a name twice, once escaped": b'{"entry": "a", "\\u0065ntry": "count"}',
    "a control character in a name": b'{"entry": "", "a\\u0007b": 1}',
    "a line separator in a name": '{"entry": "", "a\u2028b": 1}'.encode(),
    "another type": b'{"amount": "much"}',
}
NAMES: dict[str, dict[str, Any]] = {
    "a control character in the target": {"target": "led\x07ger"},
    "a line break in the target": {"target": "ledger\n"},
    "a path as the target": {"target": "../ledger"},
    "a very long target": {"target": "l" * 5000},
    "a control character in the call's id": {"tool_call_id": "a\x1b[2Jb"},
    "a line break in the idempotency key": {"idempotency_key": "a\nb"},
    "a hash that is none": {"expect_schema_sha256": "0" * 63 + "\n"},
    "injected arguments that are none": {"injected_json": b"[]"},
    "injected arguments that replace given ones": {"injected_json": b'{"entry": "count"}'},
}
MESSAGES: dict[str, bytes] = {
    "random bytes": b"\xff\xff\xff\xff",
    "a message that is cut off": b"\x0a\x7f\x0a",
    "a text that is no UTF-8": b"\x0a\x0f\x0a\x04\xff\xfe\xfd\xfc\x1a\x07" + b'{"a":1}',
    "no call in it": b"",
    "10 MiB of nothing known": b"\x9a\x3e\x80\x80\x80\x05" + bytes(10 * 1024**2),
}
LARGE = 10 * 1024**2
SLOWEST = 10 * 1024**2
"""Bytes a second at which a request arrives at least, on a busy machine."""
SLOW = 0.8
PATIENCE = 0.4
"""Seconds that the tool takes to answer, and its caller's deadline: enough to reach the tool on a busy machine, which books at
once, and too little for its answer."""
VERSIONS = {"where-classic": "langchain-0.3", "where-new": "assistant"}
MISSING = "pythons-that-are-not-here.txt"


async def hostile(scene: Scene) -> Seen:
    """Every kind of input that two parsers could read in two ways, or that is none; the tool itself counts what it gets."""
    before = await _booked(scene)
    answers = [await scene.call("ledger", args, wanted=INVALID, due=0.0) for args in ARGUMENTS.values()]
    answers += [await _sent(scene.usual, _request(**fields)) for fields in NAMES.values()]
    answers += [await _sent(scene.usual, message) for message in MESSAGES.values()]
    answers += [await _sent(scene.usual, _request(args_json=b'{"entry": "' + b"x" * LARGE + b'"}'))]
    reached = await _booked(scene) - before
    what = [*ARGUMENTS, *NAMES, *MESSAGES, "10 MiB of arguments"]
    problems = [f"{name}: no field is named" for name, answer in zip(what, answers, strict=True) if not answer.fields]
    if reached:
        problems.append(f"{reached} of {len(answers)} calls reached the tool")
    back = await scene.healthy("ledger", COUNT)
    return Seen(tuple(answers), back, figures={"kinds": float(len(answers))}, problems=tuple(problems))


def _request(**fields: Any) -> bytes:
    call = tool_pb2.ToolCall(**{"target": "ledger", "args_json": b"{}", **fields})
    return tool_pb2.ToolServiceCallRequest(call=call).SerializeToString()


async def _sent(caller: Caller, message: bytes) -> Answer:
    """The bytes as they are, as a call's request."""
    trace, sent = new_trace(), time.monotonic()
    rpc = caller.channel.unary_unary(CALL)(message, timeout=30.0, metadata=headers(caller.token_file, trace))
    failure = None
    try:
        await rpc
    except grpc.aio.AioRpcError as error:
        failure = from_rpc_error(error)
    at = time.monotonic()
    answer = Answer(
        code=failure.code if failure else "OK",
        reason=failure.reason if failure else "",
        after=at - sent,
        call_id=next((str(value) for key, value in await rpc.trailing_metadata() or () if key == CALL_ID), ""),
        trace=trace,
        took=at - sent,
        at=at,
        text=failure.message if failure else "",
        fields=tuple(violation.field for violation in failure.fields) if failure else (),
        wanted=(INVALID,),
        by=GRACE + len(message) / SLOWEST,  # what is large takes a while to get there, which is no delay of the answer
    )
    caller.answers.append(answer)
    return answer


async def repeated(scene: Scene) -> Seen:
    """A call that changes something runs out of time; it, and one that was answered, are repeated with their keys."""
    before, late, early = await _booked(scene), secrets.token_hex(8), secrets.token_hex(8)
    slow = {"entry": "late", "seconds": SLOW}
    timed_out = await scene.call("ledger", slow, key=late, timeout=PATIENCE, wanted="DEADLINE_EXCEEDED")
    await asyncio.sleep(SLOW)
    alone = await _booked(scene) - before
    unknown = [await scene.call("ledger", slow, key=late, wanted="UNAVAILABLE WORKER_DIED", due=1.0) for _ in range(2)]
    answered = [await scene.call("ledger", {"entry": "early"}, key=early) for _ in range(3)]
    other = await scene.call("ledger", {"entry": "other"}, key=early, wanted=f"{INVALID} ARGUMENTS_INVALID")
    together = await _at_once(scene)
    booked = await _booked(scene) - before
    problems = [
        f"a repeat does not say that the outcome is unknown: {answer.text}" for answer in unknown if _told(answer)
    ]
    if alone != 1:
        problems.append(f"a call that ran out of time ran {alone} times, and nobody had repeated it")
    if len({answer.text for answer in answered}) != 1 or len({answer.text for answer in together}) != 1:
        problems.append("a repeat did not get the first one's result")
    if booked != 3:
        problems.append(f"three calls and their repeats were booked {booked} times")
    return Seen(
        (timed_out, unknown[0], answered[-1], other), await scene.healthy("ledger", COUNT), problems=tuple(problems)
    )


async def _at_once(scene: Scene) -> list[Answer]:
    """The same key several times at the same moment."""
    key = secrets.token_hex(8)
    calls = (scene.call("ledger", {"entry": "once", "seconds": 0.1}, key=key) for _ in range(4))
    return await asyncio.gather(*calls)


def _told(answer: Answer) -> bool:
    return answer.metadata.get("outcome") != "unknown"


async def _booked(scene: Scene) -> int:
    answer = await scene.call("ledger", COUNT)
    return int(answer.text) if answer.code == "OK" else -1


async def side_by_side(scene: Scene) -> Seen:
    """The same tool on two majors of the framework, of protobuf, and on every Python that is here, at the same time."""
    names = sorted(path.name for path in scene.instance.envs.glob("where-*"))
    answers = await asyncio.gather(*(scene.call(name, {}) for name in names))
    told = {answer.text for answer in answers if answer.code == "OK"}
    versions = [json.loads(text) for text in sorted(told)]
    majors = {what: sorted({one[what].split(".")[0] for one in versions}) for what in ("framework", "protobuf")}
    problems = [f"only one major of {what} answered: {found}" for what, found in majors.items() if len(found) < 2]
    pythons = sorted({one["python"] for one in versions})
    beside = [f"{one['framework']} / {one['protobuf']} / {one['python']}" for one in versions]
    notes = (f"framework / protobuf / Python: {', '.join(beside)}", *_not_here(scene.instance))
    figures = {"pythons": float(len(pythons)), "environments": float(len(names))}
    return Seen(tuple(answers), 0.0, notes, figures, tuple(problems))


def _environments(instance: PrivateInstance) -> None:
    for name, env in VERSIONS.items():
        guest(instance, "where", name, environment(env))
    others, missing = other_pythons()
    for version, made in others.items():
        guest(instance, "where", f"where-{version.replace('.', '-')}", made)
    (instance.folder / MISSING).write_text("\n".join(missing))


def _not_here(instance: PrivateInstance) -> tuple[str, ...]:
    return tuple((instance.folder / MISSING).read_text().splitlines())


FAULTS = (
    Fault(
        28,
        "hostile input: malformed protobuf, UTF-8, JSON, numbers, names, sizes",
        "INVALID_ARGUMENT naming the field; nothing reaches the tool",
        hostile,
        Setting(services=("ledger",)),
    ),
    Fault(
        29,
        "retry of a MUTATING tool after a timeout",
        "never automatic; the repeat with the same key gets the first result or “outcome unknown”",
        repeated,
        Setting(services=("ledger",)),
    ),
    Fault(
        30,
        "two framework majors, two protobuf majors, two Pythons side by side",
        "all answer",
        side_by_side,
        Setting(prepare=_environments),
    ),
)
