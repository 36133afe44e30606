"""Pods that really run: they become ready, are who they say, and what is promised of them holds."""

from __future__ import annotations

import json

from tests.cluster.installed import CLIENT, Installed, Load

CALL = """
import sys
from pathlib import Path
from firebreak.client import Client, Connection
with Client(Connection(sys.argv[1], Path("/var/run/secrets/firebreak/token"))) as firebreak:
    print(eval(sys.argv[2]))
"""
GATEWAY = "firebreak-gateway:7500"


def test_every_pod_is_ready_and_none_was_restarted(installed: Installed) -> None:
    for name in ("firebreak-gateway", *installed.services):
        pods = installed.pods(name)
        assert len(pods) == (2 if name == "firebreak-gateway" else 1)
        for pod in pods:
            [status] = pod["status"]["containerStatuses"]
            assert (status["ready"], status["restartCount"]) == (True, 0), installed.last_words(pod)


def test_a_call_and_an_agents_run_are_answered(installed: Installed, load: Load) -> None:
    expression = 'firebreak.call("calculator", {"expression": "1234 * 5678"}, timeout=20).text'
    assert installed.ask(CLIENT, CALL, GATEWAY, expression).strip() == "7006652"
    question = 'firebreak.invoke("assistant", "What is 1234 * 5678?", timeout=60)'
    assert "7006652" in installed.ask(CLIENT, CALL, GATEWAY, question)


def test_status_and_doctor_say_that_everything_holds(installed: Installed) -> None:
    assert installed.states() == {"ready"}
    diagnosis = json.loads(installed.firebreak("doctor", "--json"))
    assert diagnosis["well"], diagnosis
