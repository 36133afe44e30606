"""What is changed and broken while calls go on without a pause, and what their callers see of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.cluster.installed import CLIENT, NAMESPACE, Installed, Load
from tests.cluster.lab import until
from tests.cluster.test_running import CALL

RUN = 'firebreak.invoke("assistant", "What is 1234 * 5678?", timeout=60)'
COUNT = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:7501/metrics").read().decode())
"""


def test_a_changed_gateway_loses_no_call(installed: Installed, load: Load) -> None:
    before = {pod["metadata"]["name"] for pod in installed.pods("firebreak-gateway")}
    load.goes_on()
    load.mark()
    installed.upgrade_gateway(admission={"inFlight": 500})
    installed.rolled_out("firebreak-gateway")
    gone(installed, before)
    load.goes_on()
    seen = load.since()
    assert seen["failed"] == {}, seen
    assert seen["ok"] > 100


def test_a_changed_service_loses_no_call(installed: Installed, load: Load) -> None:
    before = {pod["metadata"]["name"] for pod in installed.pods("calculator")}
    load.goes_on()
    load.mark()
    values = installed.service_values("calculator")
    service = {**values["service"], "version": "1.0.1"}
    installed.upgrade_service("calculator", service=service)
    installed.rolled_out("calculator")
    gone(installed, before)
    load.goes_on()
    seen = load.since()
    assert seen["failed"] == {}, seen
    assert seen["ok"] > 100


def gone(installed: Installed, names: set[str]) -> None:
    """Returns when these pods are no more."""
    installed.lab.kubectl(
        "wait", "--for=delete", *(f"pod/{name}" for name in sorted(names)), "-n", NAMESPACE, "--timeout=90s"
    )


def test_a_gateway_that_is_lost_takes_only_its_own_calls_with_it(installed: Installed, load: Load) -> None:
    """Runs that came in by the pod that stays are answered, though agents' own calls may have gone by the one that is lost."""
    lost, stays = installed.pods("firebreak-gateway")
    address = f"{stays['status']['podIP']}:7500"
    with ThreadPoolExecutor(1) as pool:
        runs = pool.submit(installed.ask, CLIENT, CALL, address, f"[{RUN} for _ in range(5)]", seconds=120)
        installed.lab.kubectl("delete", "pod", lost["metadata"]["name"], "-n", NAMESPACE, "--force", "--grace-period=0")
        load.mark()
        load.goes_on()
        assert runs.result().count("7006652") == 5, runs.result()
    installed.rolled_out("firebreak-gateway")
    load.mark()
    load.goes_on()
    assert load.since()["failed"] == {}


def test_a_session_that_began_at_one_gateway_goes_on_at_another(installed: Installed, load: Load) -> None:
    """The agent's connection stays with one gateway, whichever the run came in by: so one of two runs changes gateways."""
    pods = installed.pods("firebreak-gateway")
    for pod in pods:
        answer = installed.ask(CLIENT, CALL, f"{pod['status']['podIP']}:7500", RUN)
        assert "7006652" in answer
    names = [pod["metadata"]["name"] for pod in pods]
    assert all(counted(installed, name, "assistant") for name in names)
    by_the_agent = sorted(counted(installed, name, "router") for name in names)
    assert by_the_agent[0] == 0 < by_the_agent[1]


def counted(installed: Installed, pod: str, target: str) -> int:
    """Calls of a target that a gateway's pod has ended, but for those of its probes."""
    text = installed.ask(pod, COUNT)
    lines = [line for line in text.splitlines() if line.startswith("firebreak_calls_total{") and f'"{target}"' in line]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)


def test_a_changed_policy_is_in_force_without_a_restart(installed: Installed, load: Load) -> None:
    before = [pod["metadata"]["name"] for pod in installed.pods("firebreak-gateway")]
    assert allowed(installed)
    installed.policies["data/grants.yaml"] = without_calls(installed.gateway_values()["policies"]["data/grants.yaml"])
    installed.upgrade_gateway()
    took = until("every gateway denies the call", lambda: not allowed(installed), 150)
    print(f"a changed policy was in force after {took:.0f} s")
    assert [pod["metadata"]["name"] for pod in installed.pods("firebreak-gateway")] == before
    installed.policies.clear()
    installed.upgrade_gateway()
    until("the call is allowed", lambda: allowed(installed), 150)


def without_calls(grants: str) -> str:
    """The grants, but the developer may only look at the calculator."""
    granted = "calculator:\n    developer: {roles: [developer], actions: [describe, call]}"
    assert granted in grants
    return grants.replace(granted, granted.replace("describe, call", "describe"))


def allowed(installed: Installed) -> bool:
    """Whether any gateway lets the client's call through."""
    expression = 'firebreak.call("calculator", {"expression": "6 * 7"}, timeout=20).text'
    addresses = [f"{pod['status']['podIP']}:7500" for pod in installed.pods("firebreak-gateway")]
    answers = [installed.ask(CLIENT, CALL, address, expression) for address in addresses]
    assert all("PERMISSION_DENIED" in answer or answer.strip() == "42" for answer in answers), answers
    return any(answer.strip() == "42" for answer in answers)
