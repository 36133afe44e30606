"""Services come, change, break and go while Firebreak runs, and no call is lost by it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from firebreak.client import CallFailed, Client
from firebreak.v1 import tool_pb2, tool_pb2_grpc

from tests.e2e.clone import Clone
from tests.e2e.instance import ROOT, Instance, wait_for

CALCULATOR = ROOT / "services/calculator"
SETTLED = 30.0

CODE = '''
import time

from langchain_core.tools import tool

{first}

@tool
def shout(text: str, seconds: float = 0.02) -> str:
    """Say it louder."""
    time.sleep(seconds)
    return text.upper() + {mark!r}
'''
# MUTATING: a call that is lost is not repeated by the gateway, so none can be lost unseen.
SERVICE: dict[str, Any] = {
    "name": "shout", "kind": "tool", "version": "1.0.0", "entrypoint": "tool:shout", "effect": "MUTATING",
    "runtime": {"mode": "sync", "workers": 3, "memory": "256MiB"},
}  # fmt: skip


class Shout:
    """A tool in the instance's own folder that the test edits as its author would."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.folder = instance.folder / "services/shout"
        self.folder.mkdir(parents=True)

    def write(self, mark: str = "!", first: str = "", **changes: Any) -> None:
        (self.folder / "tool.py").write_text(CODE.format(mark=mark, first=first))
        (self.folder / "service.yaml").write_text(yaml.safe_dump(SERVICE | changes))

    def add(self) -> None:
        (self.instance.envs / "shout").symlink_to(ROOT / ".firebreak/envs/calculator")
        self.instance.grant("shout")
        self._configure(lambda services: services.append({"path": "services/shout"}))

    def remove(self) -> None:
        self._configure(lambda services: services.pop())

    def _configure(self, change: Callable[[list[Any]], Any]) -> None:
        config = yaml.safe_load(self.instance.config.read_text())
        change(config["services"])
        self.instance.config.write_text(yaml.safe_dump(config))

    def rows(self) -> list[dict[str, Any]]:
        """Its row of /status, if there is one."""
        report = json.loads(self.instance.admin("/status"))
        return [row for row in report["services"] if row["name"] == "shout"]

    def ready(self) -> None:
        wait_for(lambda: self.rows() and self.rows()[0]["state"] == "ready", SETTLED, "shout ready")

    def pid(self) -> int:
        return int(json.loads((self.instance.state / "run/shout.json").read_text())["pid"])

    def wait_for_mark(self, mark: str) -> None:
        """Waits until calls are answered by the version with `mark`."""
        with self.instance.client() as client:
            wait_for(
                lambda: client.call("shout", {"text": "a"}).text == f"A{mark}", SETTLED, f"the version with {mark}"
            )


class Load:
    """Calls one after the other from several threads; what they were answered, and what went wrong."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._stop = threading.Event()
        self.answers: list[str] = []
        self.failures: list[str] = []

    @contextmanager
    def on(self, call: Callable[[Client], str], threads: int = 3) -> Iterator[None]:
        running = [threading.Thread(target=self._send, args=(call,)) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in running:
                thread.join(30)

    def _send(self, call: Callable[[Client], str]) -> None:
        with self._instance.client() as client:
            while not self._stop.wait(0.02):  # well within each service's rate
                try:
                    self.answers.append(call(client))
                except CallFailed as failure:
                    self.failures.append(f"{failure.code} {failure.reason} {failure.message}")


def shouted(client: Client) -> str:
    return client.call("shout", {"text": "a"}).text


def streamed(client: Client) -> str:
    request = tool_pb2.ToolServiceStreamRequest(call=tool_pb2.ToolCall(target="shout", args_json=b'{"text": "b"}'))
    stub = tool_pb2_grpc.ToolServiceStub(client.channel)
    *_, last = stub.Stream(request, timeout=20, metadata=client.connection.metadata())
    return str(last.result.content[0].text)


def computed(client: Client) -> str:
    return client.call("calculator", {"expression": "6 * 7"}).text


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.fixture
def shout(start: Callable[..., Instance]) -> Shout:
    shout = Shout(start([CALCULATOR]))
    shout.write()
    return shout


@pytest.mark.timeout(300)
def test_a_service_comes_changes_breaks_and_goes_under_load(shout: Shout) -> None:
    instance = shout.instance
    calls, streams, others = Load(instance), Load(instance), Load(instance)
    with others.on(computed, threads=1):
        shout.add()
        shout.ready()
        first = shout.pid()
        with calls.on(shouted), streams.on(streamed, threads=2):
            shout.wait_for_mark("!")

            shout.write("?")
            shout.wait_for_mark("?")
            wait_for(lambda: gone(first), SETTLED, "the end of the first version's process")

            second = shout.pid()
            shout.write("?", first="import nothing_of_that_name")
            wait_for(lambda: "NOT in use" in instance.printed.read_text(), SETTLED, "the broken version given up")
            assert "nothing_of_that_name" in instance.printed.read_text()
            assert "nothing_of_that_name" in instance.cli("status").stdout
            assert shout.pid() == second

            shout.write("?", limits={"deadline": "7s"})
            wait_for(lambda: gone(second), SETTLED, "the end of the second version's process")
            shout.write(".", limits={"deadline": "8s"}, version="1.0.1")
            shout.wait_for_mark(".")
            wait_for(lambda: shout.rows()[0]["version"] == "1.0.1", SETTLED, "the new version in /status")
        shout.remove()
        wait_for(lambda: not shout.rows(), SETTLED, "shout gone")
    assert (calls.failures, streams.failures, others.failures) == ([], [], [])
    assert set(calls.answers) == {"A!", "A?", "A."}
    assert set(streams.answers) == {"B!", "B?", "B."}
    assert len(others.answers) > 20
    wait_for(lambda: "shout: ended" in instance.printed.read_text(), SETTLED, "the end of shout's process")
    left = [path.name for path in (instance.state / "run").iterdir() if "shout" in path.name]
    assert left == []
    assert not (instance.state / "identity/services-tokens/shout").exists()


def test_a_call_in_flight_outlives_the_removal_of_its_service(shout: Shout) -> None:
    shout.add()
    shout.ready()
    answers: list[str] = []

    def slow() -> None:
        with shout.instance.client() as client:
            answers.append(client.call("shout", {"text": "late", "seconds": 2.5}).text)

    thread = threading.Thread(target=slow)
    thread.start()
    wait_for(lambda: shout.instance.metric("firebreak_calls_in_flight"), 5.0, "the call in flight")
    shout.remove()
    wait_for(lambda: not shout.rows(), SETTLED, "shout gone")
    assert answers == []
    with shout.instance.client() as client, pytest.raises(CallFailed) as caught:
        client.call("shout", {"text": "a"})
    assert caught.value.reason == "TARGET_UNKNOWN"
    thread.join(30)
    assert answers == ["LATE!"]


def test_calls_that_wait_for_a_place_are_not_lost_by_a_change(shout: Shout) -> None:
    """With one place the gateway holds calls back for the version that they came for."""
    shout.write(limits={"concurrency": 1, "queue": 20})
    shout.add()
    shout.ready()
    load = Load(shout.instance)
    with load.on(lambda client: client.call("shout", {"text": "a", "seconds": 0.2}).text, threads=8):
        wait_for(lambda: load.answers, 10.0, "calls under way")
        shout.write("?", limits={"concurrency": 1, "queue": 20})
        wait_for(lambda: "A?" in load.answers, SETTLED, "the new version")
    assert load.failures == []


def test_reload_says_what_changed_and_what_is_wrong(shout: Shout) -> None:
    instance = shout.instance
    right = instance.config.read_text()
    instance.config.write_text(right + "colour: red\n")
    done = instance.cli("reload")
    assert done.returncode == 1
    assert "firebreak.yaml:" in done.stdout
    assert "colour" in done.stdout
    assert "colour" in instance.cli("status").stdout
    with instance.client() as client:
        assert computed(client) == "42"
    wait_for(
        lambda: "nothing changes until it is right" in instance.printed.read_text(), SETTLED, "the launcher's word"
    )
    instance.config.write_text(right.replace("admin: 127.0.0.1:", "admin: 127.0.0.2:"))
    done = instance.cli("reload", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["needs_restart"] == ["admin"]
    instance.config.write_text(right)
    done = instance.cli("reload")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrong" not in done.stdout


def test_a_service_that_cannot_start_is_mended_without_a_restart(shout: Shout) -> None:
    shout.write(first="import nothing_of_that_name")
    shout.add()
    wait_for(lambda: shout.rows() and "nothing_of_that_name" in shout.rows()[0]["reason"], SETTLED, "the reason")
    shout.write()
    shout.ready()
    shout.wait_for_mark("!")


@pytest.mark.timeout(240)
def test_a_changed_lock_makes_a_new_environment_while_calls_go_on(short_folder: Path) -> None:
    clone = Clone(short_folder / "r", ["calculator"])
    clone.start()
    try:
        before, load = (clone.envs / "calculator").resolve(), Load(clone)
        with load.on(computed, threads=2):
            lock = clone.folder / "services/calculator/requirements.lock"
            lock.write_text(lock.read_text() + "# locked again\n")
            wait_for(lambda: (clone.envs / "calculator").resolve() != before, 120.0, "the new environment")
            said = "calculator: changed, starting a second process"
            wait_for(lambda: said in clone.printed.read_text(), SETTLED, "the second process")
            wait_for(lambda: clone.printed.read_text().count("calculator: ready") == 2, SETTLED, "its use")
        assert load.failures == []
        assert before.is_dir()
    finally:
        clone.stop()
