"""Prometheus metrics. Every label has a small fixed set of values: no name that a caller makes up becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.adapters.telemetry.tally import Spread, Tally
from gateway.call import Call, Facts
from gateway.core.usage import Used
from gateway.errors import Code, Reason
from gateway.proof import Promise

NONE = "-"
"""Label of what a call did not have: a rejected call's target, a gateway method's kind."""

_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_STAGE_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5, 30)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_STAGE_TEXT = "Time from the mark before to this one: a stage, with the unmarked stages in front of it"


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read when metrics are asked for: calls in flight, each target's breaker state, log lines dropped, what journal,
    configuration and quotas report for /status, how many promises are broken of each target, of the gateway's own under "", and
    what PolicyAge reports.
    """

    in_flight: Callable[[], int]
    breaker_states: Callable[[], Mapping[str, str]]
    lines_dropped: Callable[[], int]
    journal: Callable[[], Mapping[str, Any]]
    configuration: Callable[[], Mapping[str, Any]] = dict
    broken: Callable[[], Mapping[str, int]] = dict
    quotas: Callable[[], Mapping[str, str]] = dict
    policy: Callable[[], Mapping[str, Any]] = dict


class Metrics(Collector):
    """The gateway's metrics, in a registry of their own."""

    def __init__(self, sources: Sources) -> None:
        self._calls = Tally("firebreak_calls", "Calls ended", ("target", "kind", "action", "code", "reason"))
        self._seconds = Spread("firebreak_call_seconds", "Whole time of a call", ("target", "action"), _CALL_SECONDS)
        self._stages = Spread("firebreak_stage_seconds", _STAGE_TEXT, ("stage",), _STAGE_SECONDS)
        self._attempts = Tally("firebreak_attempts", "Attempts at a target", ("target", "action", "code"))
        self._decisions = Tally("firebreak_policy_decisions", "Decisions of policy", ("target", "decision"))
        self._received = Tally("firebreak_request_bytes", "Bytes of requests", ("target",))
        self._sent = Tally("firebreak_response_bytes", "Bytes of responses", ("target",))
        self._tokens = Tally("firebreak_model_tokens", "Tokens of prompts and answers", ("target", "kind"))
        self._estimated = Tally("firebreak_model_estimates", "Calls whose model told no number of tokens", ("target",))
        self._probes = Tally("firebreak_probes", "Promises that were tried", ("target", "probe", "verdict"))
        self._commits = Spread("firebreak_journal_commit_seconds", "Transactions of the journal", (), _COMMIT_SECONDS)
        self._registry = CollectorRegistry()
        self._registry.register(_Live(sources))
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        for each in (self._calls, self._attempts, self._decisions, self._received, self._sent):
            yield each.collect()
        yield self._tokens.collect()
        yield self._estimated.collect()
        yield self._probes.collect()
        yield self._seconds.collect()
        yield self._stages.collect()
        yield self._commits.collect()

    def committed(self, seconds: float) -> None:
        """One transaction of the journal took `seconds`. For the journal's thread, the only one that counts these."""
        self._commits.add((), seconds)

    def proven(self, target: str, promise: Promise) -> None:
        """A `promise` of `target` was tried; "" is the gateway itself."""
        self._probes.add((target or NONE, promise.name, promise.verdict.value))

    def ended(self, call: Call, code: Code, reason: str, seconds: float) -> None:
        """Counts one call that took `seconds`."""
        facts, method = call.facts, call.method
        target = facts.target or NONE
        by_target = (target,)
        self._calls.add((target, method.kind or NONE, method.action, code.name, reason))
        self._seconds.add((target, method.action), seconds)
        self._received.add(by_target, facts.request_bytes)
        self._sent.add(by_target, facts.response_bytes)
        for attempt in facts.attempts:
            self._attempts.add((target, method.action, attempt.code.name))
        decision = _decision(facts, reason)
        if decision:
            self._decisions.add((target, decision))
        if facts.used is not None:
            self._used(target, facts.used)
        before = 0.0
        for stage, mark in facts.stages.items():
            self._stages.add((stage,), mark - before)
            before = mark

    def _used(self, target: str, used: Used) -> None:
        self._tokens.add((target, "input"), used.input)
        self._tokens.add((target, "output"), used.output)
        if used.estimated:
            self._estimated.add((target,))


def _decision(facts: Facts, reason: str) -> str:
    if reason == Reason.POLICY_UNAVAILABLE:
        return "unavailable"
    if not facts.decision:
        return ""
    return "deny" if reason == Reason.POLICY_DENIED else "allow"


class _Live(Collector):
    """What has a value now rather than a history."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("firebreak_calls_in_flight", "Calls that run now", value=self._sources.in_flight())
        yield CounterMetricFamily(
            "firebreak_log_lines_dropped", "Log lines that found no reader", value=self._sources.lines_dropped()
        )
        breakers = GaugeMetricFamily(
            "firebreak_breaker_state", "1 for the state that a target's breaker is in", labels=("target", "state")
        )
        for target, state in self._sources.breaker_states().items():
            breakers.add_metric((target, state), 1)
        yield breakers
        broken = GaugeMetricFamily("firebreak_promises_broken", "Promises that are not kept", labels=("target",))
        for target, number in self._sources.broken().items():
            broken.add_metric((target or NONE,), number)
        yield broken
        yield from _journal(self._sources.journal())
        yield from _configuration(self._sources.configuration())
        yield from _quotas(self._sources.quotas())
        yield from _policy(self._sources.policy())


def _journal(report: Mapping[str, Any]) -> Iterable[Metric]:
    """Nothing where no journal is kept."""
    if "written" not in report:
        return
    yield CounterMetricFamily(
        "firebreak_journal_rows", "Rows about calls written to the journal", value=report["written"]
    )
    yield CounterMetricFamily("firebreak_journal_lost", "Calls that went unrecorded", value=report["lost"])
    yield CounterMetricFamily("firebreak_journal_cut", "Answers that were not kept whole", value=report["cut"])
    yield GaugeMetricFamily(
        "firebreak_journal_queue_bytes", "Memory of what waits for the journal", value=report["queued_bytes"]
    )
    failing = 1 if report["failing"] else 0
    yield GaugeMetricFamily("firebreak_journal_failing", "1 while the journal cannot be written", value=failing)


def _quotas(report: Mapping[str, str]) -> Iterable[Metric]:
    """0 where nothing is shared: nothing is missing then."""
    degraded = 1 if report.get("degraded") else 0
    yield GaugeMetricFamily("firebreak_quotas_degraded", "1 while shared quotas cannot be asked", value=degraded)


def _policy(report: Mapping[str, Any]) -> Iterable[Metric]:
    """Nothing where no policy is followed."""
    if "loaded" not in report:
        return
    text = "Unix time since which this revision of the policy is in force"
    yield GaugeMetricFamily("firebreak_policy_loaded_timestamp_seconds", text, value=report["loaded"])
    error = 1 if report["error"] else 0
    text = "1 while the policy's files are not in force or the engine cannot decide"
    yield GaugeMetricFamily("firebreak_policy_error", text, value=error)


def _configuration(report: Mapping[str, Any]) -> Iterable[Metric]:
    """Nothing where no configuration is followed."""
    if "reloads" not in report:
        return
    reloads = CounterMetricFamily(
        "firebreak_configuration_reloads", "Times that the configuration was read anew", labels=("result",)
    )
    reloads.add_metric(("ok",), report["reloads"] - report["failed"])
    reloads.add_metric(("failed",), report["failed"])
    yield reloads
    yield GaugeMetricFamily(
        "firebreak_configuration_rejected",
        "1 while the files are wrong and an older configuration is in force",
        value=1 if report["error"] else 0,
    )
    yield GaugeMetricFamily(
        "firebreak_configuration_needs_restart",
        "1 while a part of the configuration waits for a restart",
        value=1 if report["needs_restart"] else 0,
    )
