"""What a pod may take at most, tried from inside it, while others are called without a pause and must not notice.

Processes are bounded by the node alone (podPidsLimit of its kubelet): a cluster that sets none fails here, as it should.
"""

from __future__ import annotations

import json
import re

from tests.cluster.installed import CLIENT, Installed, Load
from tests.cluster.lab import until
from tests.cluster.test_running import CALL, GATEWAY

EATER = """
held = []
while len(held) < 512:
    held.append(bytearray(b"x") * (16 << 20))
    print(len(held) * 16, flush=True)
print("unbounded")
"""
BUSY = """
import os, time
end = time.monotonic() + 5
children = [os.fork() for _ in range(4)]
while 0 in children and time.monotonic() < end:
    pass
if 0 in children:
    os._exit(0)
for _ in children:
    os.wait()
used = os.times()
print((used.children_user + used.children_system) / 5)
"""
CROWD = """
import threading
never = threading.Event()
threading.stack_size(64 * 1024)
count = 0
try:
    while count < 20000:
        threading.Thread(target=never.wait, daemon=True).start()
        count += 1
    print("unbounded")
except RuntimeError:
    print(count)
"""
FORKS = "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        time.sleep(0.01)"
"""Each of its processes forks for as long as it may."""
HOARD = "held = []\nwhile True:\n    held.append(bytearray(b'x') * (16 << 20))"


def limits(installed: Installed, name: str) -> dict[str, str]:
    [container] = installed.pods(name)[0]["spec"]["containers"]
    found: dict[str, str] = container["resources"]["limits"]
    return found


def restarts(installed: Installed, name: str) -> int:
    return sum(pod["status"]["containerStatuses"][0]["restartCount"] for pod in installed.pods(name))


def run(installed: Installed, code: str, timeout: float = 20) -> str:
    """What came of code that the tool `python` runs."""
    expression = f'firebreak.call("python", {json.dumps({"code": code})}, timeout={timeout}).text'
    return installed.ask(CLIENT, CALL, GATEWAY, expression)


def unharmed(installed: Installed, load: Load) -> None:
    """Every service is ready again, and no neighbour's call failed meanwhile."""
    until("every service is ready", lambda: installed.states() == {"ready"}, 120)
    load.goes_on()
    seen = load.since()
    assert seen["failed"] == {}, seen


def test_a_pod_gets_no_more_memory_than_its_limit(installed: Installed, load: Load) -> None:
    limit = limits(installed, "handbook")["memory"]
    assert limit.endswith("Mi")
    load.mark()
    said = installed.ask(installed.pod("handbook"), EATER)
    reached = [int(number) for number in re.findall(r"(?m)^\d+$", said)]
    assert "exit code 137" in said, said[-300:]
    assert 0 < reached[-1] <= int(limit.removesuffix("Mi"))
    unharmed(installed, load)


def test_a_pod_gets_no_more_of_the_processor_than_its_limit(installed: Installed, load: Load) -> None:
    load.mark()
    cores = float(installed.ask(installed.pod("handbook"), BUSY))
    assert limits(installed, "handbook")["cpu"] == "1"
    assert cores < 1.15
    unharmed(installed, load)


def test_a_pod_gets_no_more_processes_than_the_node_says(installed: Installed, load: Load) -> None:
    node = installed.pods("handbook")[0]["spec"]["nodeName"]
    told = json.loads(installed.lab.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/configz"))
    limit = told["kubeletconfig"]["podPidsLimit"]
    assert limit > 0, "the kubelet of this node sets no podPidsLimit: a pod may take all its processes"
    load.mark()
    assert 0 < int(installed.ask(installed.pod("handbook"), CROWD)) < limit
    unharmed(installed, load)


def test_code_that_hoards_memory_is_ended_alone(installed: Installed, load: Load) -> None:
    before = restarts(installed, "python")
    load.mark()
    assert "MEMORY_EXCEEDED" in run(installed, HOARD)
    assert run(installed, "print(6 * 7)").strip() == "42"
    assert restarts(installed, "python") == before
    unharmed(installed, load)


def test_code_that_forks_without_end_leaves_nothing_behind(installed: Installed, load: Load) -> None:
    load.mark()
    assert "DEADLINE_EXCEEDED" in run(installed, FORKS, timeout=4)
    until("the tool answers again", lambda: run(installed, "print(6 * 7)").strip() == "42", 60)
    until("no process of it is left", lambda: processes(installed) < 40, 60)
    unharmed(installed, load)


def processes(installed: Installed) -> int:
    """Those of the pod of `python`, the one that counts among them; very many while none can be added."""
    said = installed.ask(
        installed.pod("python"), "import os; print(sum(name.isdigit() for name in os.listdir('/proc')))"
    )
    return int(said) if said.strip().isdigit() else 1_000_000
