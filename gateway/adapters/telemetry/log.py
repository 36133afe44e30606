"""One structured line for each call, and the program's own messages in the same form. Holds no argument and no credential."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.call import Call
from gateway.errors import Code

Write = Callable[[bytes], None]
"""Takes one line, without its newline."""


class CallLog:
    """Writes one line for each call that has ended."""

    def __init__(self, mode: Literal["json", "console"], write: Write) -> None:
        self._render = _dumps if mode == "json" else _console
        self._write = write

    def call(self, call: Call, code: Code, reason: str, now: float) -> None:
        """The line of `call`, which ended at `now` (monotonic) with `code` and `reason`."""
        # Rendered without structlog's processors, whose time every call would pay; its renderers show the rest.
        self._write(self._render(_fields(call, code, reason, now)))


def _fields(call: Call, code: Code, reason: str, now: float) -> dict[str, Any]:
    facts = call.facts
    started, first, trace = facts.started, facts.first_event, call.header("traceparent")
    return {
        "event": "call",
        "level": "info" if code is Code.OK else "warning",
        "timestamp": datetime.now(UTC),
        "call_id": call.id,
        "method": call.method.name,
        "target": facts.target,
        "code": code.name,
        "reason": reason,
        "ms": _ms(now - started),
        "principal": facts.principal,
        "session": facts.session,
        "chain": facts.chain,
        "depth": facts.depth,
        "parent": facts.parent,
        "decision": facts.decision,
        "rules": facts.rules,
        "revision": facts.revision[:12],
        "attempts": [
            {"ms": _ms(each.seconds), "code": each.code.name, "reason": each.reason} for each in facts.attempts
        ],
        "first_event_ms": None if first is None else _ms(first - started),
        "events": facts.events,
        "request_bytes": facts.request_bytes,
        "response_bytes": facts.response_bytes,
        "stages_us": {name: int(seconds * 1_000_000) for name, seconds in facts.stages.items()},
        "listener": call.listener,
        "peer": call.peer.address,
        "trace_id": trace[3:35] if trace else "",
        "correlation_id": facts.correlation,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def configure(mode: Literal["json", "console"], write: Write) -> logging.Handler:
    """Sends every message of the standard library's logging to `write` as lines of the same form; returns the handler."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_text(mode)],
    )
    handler = _LineHandler(write)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    return handler


def _as_text(mode: str) -> Processor:
    if mode == "console":
        return _CONSOLE

    def render(logger: WrappedLogger, name: str, event: EventDict) -> str:  # noqa: ARG001 - structlog's shape
        return _dumps(event).decode()

    return render


_CONSOLE = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
_SHOWN = ("call_id", "method", "target", "code", "reason", "ms", "principal", "decision", "rules", "correlation_id")


def _console(fields: dict[str, Any]) -> bytes:
    """What a person at a terminal wants to know of a call; the rest is in the JSON form."""
    event = {"event": fields["event"], "level": fields["level"], "timestamp": fields["timestamp"].isoformat()}
    event.update((key, fields[key]) for key in _SHOWN if fields[key])
    return str(_CONSOLE(None, "", event)).encode("utf-8", "backslashreplace")


def _dumps(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)


class _LineHandler(logging.Handler):
    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self.format(record).encode("utf-8", "backslashreplace"))
        except Exception:
            self.handleError(record)
