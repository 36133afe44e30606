"""The tools sql and web-fetch, as they are shipped, through the gateway."""

from __future__ import annotations

import json

import yaml

from tests.e2e.instance import Instance


def test_a_question_about_data_is_answered_and_nothing_can_be_changed(shipped: Instance) -> None:
    answer = shipped.cli("call", "sql", '{"query": "SELECT count(*) AS orders FROM orders"}')
    assert (answer.returncode, answer.stdout) == (0, "orders\n400\n(1 row)\n")
    refused = shipped.cli("call", "sql", '{"query": "DELETE FROM orders"}')
    assert refused.returncode == 1
    assert "only SELECT is allowed" in refused.stderr
    assert shipped.cli("call", "sql", '{"query": "SELECT count(*) AS orders FROM orders"}').stdout == answer.stdout


def test_a_query_that_never_ends_is_stopped_and_the_next_is_answered(shipped: Instance) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    stopped = shipped.cli("call", "sql", json.dumps({"query": endless}), "--json")
    assert "more than 3 seconds" in json.loads(stopped.stdout)["text"]
    assert shipped.cli("call", "sql", '{"query": "SELECT 6 * 7"}').stdout.splitlines()[1] == "42"


def test_only_allowed_hosts_are_fetched_from(shipped: Instance) -> None:
    for url in ("https://example.org/", "http://127.0.0.1:7501/metrics", "http://169.254.169.254/latest/meta-data/"):
        refused = shipped.cli("call", "web-fetch", json.dumps({"url": url}))
        assert refused.returncode == 1
        assert "not on the list of allowed hosts: docs.python.org" in " ".join(refused.stderr.split())


def test_an_agent_may_not_fetch_from_the_web(shipped: Instance) -> None:
    """What a page says could lead it astray: the shipped grant is for people."""
    grants = yaml.safe_load((shipped.policies / "data/grants.yaml").read_text())["grants"]
    assert {role for grant in grants["web-fetch"].values() for role in grant["roles"]} == {"developer", "probe"}
    assert {role for grant in grants["sql"].values() for role in grant["roles"]} == {"developer", "agent", "probe"}
