"""Counts are right, and labels stay few whatever callers and services send."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters.telemetry.metrics import Metrics, Sources
from gateway.call import Attempt, Call
from gateway.core.usage import Used
from gateway.errors import Code
from gateway.proof import Promise, Verdict
from gateway.routes import CATALOG_LIST
from tests.unit.gateway.chain_fakes import call

JOURNAL = {"mode": "required", "written": 12, "lost": 2, "cut": 1, "queued_bytes": 4096, "failing": "disk full"}


def metrics(**journal: object) -> Metrics:
    report = {**JOURNAL, **journal}
    states, broken = {"calculator": "OPEN", "python": "CLOSED"}, {"": 0, "calculator": 2}
    return Metrics(Sources(lambda: 3, lambda: states, lambda: 7, lambda: report, broken=lambda: broken))


def samples(of: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(of.render().decode())
        for sample in family.samples
    }


def value(of: Metrics, name: str, **labels: str) -> float | None:
    return samples(of).get((name, frozenset(labels.items())))


def ended(target: str = "calculator", decision: str = "d1", made: Call | None = None) -> Call:
    made = made or call()
    facts = made.facts
    facts.target, facts.decision = target, decision
    facts.request_bytes, facts.response_bytes = 40, 20
    return made


def test_a_call_is_counted_once_with_all_it_took() -> None:
    counted, made = metrics(), ended()
    made.facts.attempts = [Attempt(0.1, Code.UNAVAILABLE, "WORKER_DIED"), Attempt(0.1, Code.OK)]
    made.facts.stages = {"authenticate": 0.001, "forward": 0.004}
    counted.ended(made, Code.OK, "", 0.3)
    labels = {"target": "calculator", "kind": "tool", "action": "call"}
    assert value(counted, "firebreak_calls_total", **labels, code="OK", reason="") == 1
    assert value(counted, "firebreak_call_seconds_sum", target="calculator", action="call") == pytest.approx(0.3)
    assert value(counted, "firebreak_call_seconds_bucket", target="calculator", action="call", le="0.25") == 0
    assert value(counted, "firebreak_call_seconds_bucket", target="calculator", action="call", le="0.5") == 1
    assert value(counted, "firebreak_attempts_total", target="calculator", action="call", code="UNAVAILABLE") == 1
    assert value(counted, "firebreak_attempts_total", target="calculator", action="call", code="OK") == 1
    assert value(counted, "firebreak_request_bytes_total", target="calculator") == 40
    assert value(counted, "firebreak_response_bytes_total", target="calculator") == 20
    assert value(counted, "firebreak_policy_decisions_total", target="calculator", decision="allow") == 1
    assert value(counted, "firebreak_stage_seconds_sum", stage="authenticate") == pytest.approx(0.001)
    assert value(counted, "firebreak_stage_seconds_sum", stage="forward") == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("decision", "reason", "counted_as"),
    [("d1", "POLICY_DENIED", "deny"), ("", "POLICY_UNAVAILABLE", "unavailable"), ("d1", "CIRCUIT_OPEN", "allow")],
)
def test_decisions_are_counted_by_what_they_said(decision: str, reason: str, counted_as: str) -> None:
    counted = metrics()
    counted.ended(ended(decision=decision), Code.PERMISSION_DENIED, reason, 0.1)
    assert value(counted, "firebreak_policy_decisions_total", target="calculator", decision=counted_as) == 1


def test_a_call_that_never_had_a_target_or_a_decision() -> None:
    counted = metrics()
    counted.ended(ended("", "", call(CATALOG_LIST, b"")), Code.UNAUTHENTICATED, "CREDENTIALS_MISSING", 0.1)
    labels = {"target": "-", "kind": "-", "action": "gateway", "code": "UNAUTHENTICATED"}
    assert value(counted, "firebreak_calls_total", **labels, reason="CREDENTIALS_MISSING") == 1
    assert not [name for name, _ in samples(counted) if name == "firebreak_policy_decisions_total"]


def test_tokens_of_models_add_up_by_target_alone() -> None:
    counted = metrics()
    for used in (Used(12, 3), Used(100, 40, estimated=True)):
        made = ended("router")
        made.facts.used = used
        counted.ended(made, Code.OK, "", 0.1)
    assert value(counted, "firebreak_model_tokens_total", target="router", kind="input") == 112
    assert value(counted, "firebreak_model_tokens_total", target="router", kind="output") == 43
    assert value(counted, "firebreak_model_estimates_total", target="router") == 1


def test_calls_that_use_no_tokens_have_no_numbers_of_them() -> None:
    counted = metrics()
    counted.ended(ended(), Code.OK, "", 0.1)
    assert not [name for name, _ in samples(counted) if name.startswith("firebreak_model_")]


def test_calls_add_up() -> None:
    counted = metrics()
    for _ in range(3):
        counted.ended(ended(), Code.OK, "", 0.1)
    labels = {"target": "calculator", "kind": "tool", "action": "call", "code": "OK", "reason": ""}
    assert value(counted, "firebreak_calls_total", **labels) == 3


def test_what_holds_now_is_read_when_asked_for() -> None:
    asked = metrics()
    assert value(asked, "firebreak_calls_in_flight") == 3
    assert value(asked, "firebreak_log_lines_dropped_total") == 7
    assert value(asked, "firebreak_breaker_state", target="calculator", state="OPEN") == 1
    assert value(asked, "firebreak_breaker_state", target="python", state="CLOSED") == 1


def test_what_was_tried_is_counted_and_what_is_broken_is_shown() -> None:
    counted = metrics()
    for verdict in (Verdict.HELD, Verdict.HELD, Verdict.BROKEN):
        counted.proven("calculator", Promise("allow:adds", verdict))
    counted.proven("", Promise("credentials:none", Verdict.HELD))
    labels = {"target": "calculator", "probe": "allow:adds"}
    assert value(counted, "firebreak_probes_total", **labels, verdict="held") == 2
    assert value(counted, "firebreak_probes_total", **labels, verdict="broken") == 1
    assert value(counted, "firebreak_probes_total", target="-", probe="credentials:none", verdict="held") == 1
    assert value(counted, "firebreak_promises_broken", target="calculator") == 2
    assert value(counted, "firebreak_promises_broken", target="-") == 0


def test_the_journal_shows_what_it_wrote_lost_and_holds() -> None:
    failing, well = metrics(), metrics(failing="")
    assert value(failing, "firebreak_journal_rows_total") == 12
    assert value(failing, "firebreak_journal_lost_total") == 2
    assert value(failing, "firebreak_journal_cut_total") == 1
    assert value(failing, "firebreak_journal_queue_bytes") == 4096
    assert (value(failing, "firebreak_journal_failing"), value(well, "firebreak_journal_failing")) == (1, 0)


def test_the_configuration_shows_how_often_it_was_read_and_whether_it_is_in_force() -> None:
    report = {"reloads": 5, "failed": 2, "error": "firebreak.yaml:1: is empty", "needs_restart": ["listeners"]}
    shown = Metrics(Sources(lambda: 0, dict, lambda: 0, dict, lambda: report))
    assert value(shown, "firebreak_configuration_reloads_total", result="ok") == 3
    assert value(shown, "firebreak_configuration_reloads_total", result="failed") == 2
    assert value(shown, "firebreak_configuration_rejected") == 1
    assert value(shown, "firebreak_configuration_needs_restart") == 1
    report |= {"error": "", "needs_restart": []}
    assert value(shown, "firebreak_configuration_rejected") == 0
    assert value(shown, "firebreak_configuration_needs_restart") == 0


def test_the_policy_shows_since_when_it_is_in_force_and_whether_the_files_are() -> None:
    report: dict[str, object] = {"loaded": 1_700_000_000.5, "error": "main.rego:3: rego_parse_error"}
    shown = Metrics(Sources(lambda: 0, dict, lambda: 0, dict, policy=lambda: report))
    assert value(shown, "firebreak_policy_loaded_timestamp_seconds") == 1_700_000_000.5
    assert value(shown, "firebreak_policy_error") == 1
    report["error"] = ""
    assert value(shown, "firebreak_policy_error") == 0


def test_where_no_policy_is_followed_there_are_no_numbers_of_it() -> None:
    assert value(Metrics(Sources(lambda: 0, dict, lambda: 0, dict)), "firebreak_policy_error") is None


@pytest.mark.parametrize(("why", "shown"), [("Redis is gone", 1), ("", 0)])
def test_quotas_that_cannot_be_asked(why: str, shown: int) -> None:
    sources = Sources(lambda: 0, dict, lambda: 0, dict, quotas=lambda: {"backend": "redis", "degraded": why})
    assert value(Metrics(sources), "firebreak_quotas_degraded") == shown


def test_a_transaction_of_the_journal_is_in_the_bucket_of_its_time() -> None:
    counted = metrics()
    counted.committed(0.004)
    assert value(counted, "firebreak_journal_commit_seconds_bucket", le="0.0025") == 0
    assert value(counted, "firebreak_journal_commit_seconds_bucket", le="0.005") == 1
    assert value(counted, "firebreak_journal_commit_seconds_sum") == 0.004


def test_where_no_journal_is_kept_there_are_no_numbers_of_it() -> None:
    none = Metrics(Sources(lambda: 0, dict, lambda: 0, lambda: {"mode": "none"}))
    assert value(none, "firebreak_journal_rows_total") is None
