"""Puts each call on record once: classified here, then counted, logged and traced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.adapters.telemetry.latency import Latencies
from gateway.adapters.telemetry.lines import LineWriter
from gateway.adapters.telemetry.log import CallLog
from gateway.adapters.telemetry.metrics import Metrics, Sources
from gateway.adapters.telemetry.tracing import Tracing, Untraced
from gateway.call import Call
from gateway.config import Telemetry
from gateway.errors import CallError
from gateway.outcomes import classify
from gateway.ports import AttemptRecord, Clock
from gateway.routes import Action
from gateway.service import Finish

_log = logging.getLogger(__name__)


class CallRecorder:
    """The gateway's Recorder: what goes wrong with one record is logged, and the call goes on."""

    def __init__(self, metrics: Metrics, log: CallLog, tracing: Tracing, latencies: Latencies, clock: Clock) -> None:
        self._metrics = metrics
        self._log = log
        self._tracing = tracing
        self._latencies = latencies
        self._clock = clock

    def started(self, call: Call) -> None:
        try:
            self._tracing.started(call)
        except Exception:
            _log.exception("a call could not be traced")

    def attempt(self, call: Call) -> AttemptRecord:
        try:
            return self._tracing.attempt(call)
        except Exception:
            _log.exception("an attempt could not be traced")
            return Untraced().attempt(call)

    def ended(self, call: Call, outcome: Finish | CallError | BaseException) -> None:
        try:
            self._record(call, outcome)
        except Exception:
            _log.exception("a call could not be put on record")

    def _record(self, call: Call, outcome: Finish | BaseException) -> None:
        now, facts = self._clock(), call.facts
        code, reason = classify(outcome, call.deadline, now)
        seconds = now - facts.started
        # The log line first: it is the one that says most.
        self._log.call(call, code, reason, now)
        self._metrics.ended(call, code, reason, seconds)
        # Agents describe their tools again and again while everything starts; that says nothing about how these serve.
        if facts.target and call.method.action is Action.CALL:
            self._latencies.add(facts.target, code, seconds, reached=bool(facts.attempts))
        self._tracing.ended(call, code, reason)


@dataclass(frozen=True, slots=True)
class Record:
    """All that belongs to the record: `recorder` for the chain, the others for the admin surface."""

    recorder: CallRecorder
    metrics: Metrics
    latencies: Latencies
    tracing: Tracing
    lines: LineWriter

    def close(self) -> None:
        """Writes and exports what is left. Blocks for a few seconds at most, so call it in a thread."""
        self.tracing.close()
        self.lines.close()


def make_record(
    settings: Telemetry,
    *,
    in_flight: Callable[[], int],
    breaker_states: Callable[[], Mapping[str, str]],
    journal: Callable[[], Mapping[str, Any]],
    configuration: Callable[[], Mapping[str, Any]] = dict,
    broken: Callable[[], Mapping[str, int]] = dict,
    quotas: Callable[[], Mapping[str, str]] = dict,
    policy: Callable[[], Mapping[str, Any]] = dict,
    lines: LineWriter,
    version: str,
    clock: Clock,
) -> Record:
    """The record as `settings` ask for it; `lines` takes the log. Metrics read the callables when they are asked for."""
    sources = Sources(in_flight, breaker_states, lambda: lines.dropped, journal, configuration, broken, quotas, policy)
    metrics = Metrics(sources)
    tracing, latencies = _tracing(settings, version, clock), Latencies()
    recorder = CallRecorder(metrics, CallLog(settings.log, lines.line), tracing, latencies, clock)
    return Record(recorder, metrics, latencies, tracing, lines)


def _tracing(settings: Telemetry, version: str, clock: Clock) -> Tracing:
    if settings.otlp is None:
        return Untraced()
    from gateway.adapters.telemetry.spans import exported  # the SDK is only imported where spans are exported

    return exported(settings.otlp, settings.sample, version, clock)
