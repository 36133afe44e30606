"""What a host says of its walls, with a self-test that says what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from firebreak.v1 import host_pb2
from firebreak_runtime.errors import ServedError
from firebreak_runtime.generation import Surroundings
from firebreak_runtime.log import Log
from firebreak_runtime.prove import Prover, prove_request
from firebreak_runtime.self_test.asked import Asked
from firebreak_runtime.self_test_process import Findings, SelfTest, SelfTestFailed
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.tls import ListenerTls
from firebreak_runtime.walls import TESTED, Walls

SERVICE = ServiceFile(
    Path("/srv/mine"),
    "mine",
    "tool",
    "1.0.0",
    "a:b",
    "READ",
    env=(("MINE", "1"),),
    reads=("/data",),
    scratch=5,
    memory=7,
)
AROUND = Surroundings(
    SERVICE,
    "unix:/door/gateway.sock",
    Path("/identity/token"),
    ("python",),
    listen="unix:/own/serve.sock",
    egress="unix:/egress/egress.sock",
    proxy=3128,
    secrets="/secrets",
    writable=("/tmp",),
)
HELD, BROKEN, NOT_IN_FORCE = (
    host_pb2.PROMISE_STATE_HELD,
    host_pb2.PROMISE_STATE_BROKEN,
    host_pb2.PROMISE_STATE_NOT_IN_FORCE,
)
Request = host_pb2.HostServiceProveRequest


class Fake:
    """A self-test that finds what it was made with, and a clock."""

    def __init__(self, reached: Mapping[str, str] | None = None, untried: Mapping[str, str] | None = None) -> None:
        self.findings = Findings(dict.fromkeys(TESTED, "") | dict(reached or {}), untried or {})
        self.asked: list[Asked] = []
        self.now = 0.0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.error: Exception | None = None

    async def __call__(self, asked: Asked) -> Findings:
        self.asked.append(asked)
        await self.go_on.wait()
        if self.error:
            raise self.error
        return self.findings

    def prover(self, walls: Walls | None = None, around: Surroundings = AROUND) -> Prover:
        log = Log("mine", lambda: 0.0, lambda _: None)
        return Prover(around, walls or Walls(), self, log, lambda: self.now)


async def _told(prover: Prover, **asked: list[str]) -> dict[str, tuple[int, str]]:
    answer = host_pb2.HostServiceProveResponse.FromString(await prover.prove(Request(**asked)))
    return {promise.name: (promise.state, promise.detail) for promise in answer.promises}


async def test_what_is_claimed_and_reached_is_broken_and_what_nobody_claims_is_not_in_force() -> None:
    fake = Fake({"files": "could read /a", "scratch": "could fill /b", "landlock": "got a file in /c"})
    walls = Walls(frozenset(("files", "network")), missing={"landlock": "this kernel has no Landlock"})
    told = await _told(fake.prover(walls))
    assert tuple(told) == TESTED
    assert told["files"] == (BROKEN, "could read /a")
    assert told["scratch"] == (NOT_IN_FORCE, "could fill /b")
    assert told["landlock"] == (NOT_IN_FORCE, "this kernel has no Landlock; got a file in /c")
    assert told["network"] == told["limits"] == (HELD, "")


async def test_a_claim_that_was_found_untrue_is_broken_though_nothing_was_reached() -> None:
    untrue = {"syscalls": "there was none"}
    claimed = Walls(frozenset(("syscalls",)), untrue=untrue)
    assert (await _told(Fake().prover(claimed)))["syscalls"] == (BROKEN, "there was none")
    both = Fake({"syscalls": "got through to bpf"}).prover(claimed)
    assert (await _told(both))["syscalls"] == (BROKEN, "got through to bpf; there was none")
    assert (await _told(Fake().prover(Walls(untrue=untrue))))["syscalls"] == (HELD, "")


async def test_in_a_pod_it_is_told_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    tls = ListenerTls(Path("/t/tls.crt"), Path("/t/tls.key"), Path("/t/ca.crt"))
    pod = replace(
        AROUND,
        listen="0.0.0.0:7600",
        gateway="gateway:7500",
        proxy=0,
        tls=tls,
        reads=("/var/lib/dpkg",),
        platform=("KUBERNETES_*",),
        network_policy=True,
    )
    fake = Fake()
    await _told(fake.prover(around=pod), files=["/t/tls.key", "/t/other.key"], addresses=["0.0.0.0:7501"])
    await _told(fake.prover())
    asked, plain = fake.asked
    assert asked.files == ("/t/other.key",), "the gateway's key has the same path in a pod of its own"
    assert asked.addresses == ("0.0.0.0:7501", "[fd00::1]:443")
    assert "/var/lib/dpkg" in asked.own and "/t" in asked.own
    assert asked.environment[-1] == "KUBERNETES_*"
    assert (asked.tcp, asked.policy) == (True, True)
    assert (plain.tcp, plain.policy) == (True, False), "for the egress proxy"
    await _told(fake.prover(around=replace(AROUND, proxy=0)))
    assert fake.asked[-1].tcp is False


async def test_what_could_not_be_tried_is_neither() -> None:
    fake = Fake(untried={"files": "MemoryError"})
    fake.findings = replace(fake.findings, reached={"network": ""})
    told = await _told(fake.prover(Walls(frozenset(TESTED))))
    assert told["files"] == (0, "could not be tried: MemoryError")
    assert told["limits"] == (0, "could not be tried: it was not tried")
    assert told["network"] == (HELD, "")


async def test_the_self_test_is_told_what_is_the_services_own() -> None:
    fake = Fake()
    await _told(fake.prover(), files=["/f"], sockets=["/s"], addresses=["a:1"])
    (asked,) = fake.asked
    assert (asked.files, asked.sockets, asked.addresses) == (("/f",), ("/s",), ("a:1",))
    assert asked.own == ("/srv/mine", "/data", "/identity", "/secrets")
    assert asked.doors == ("/door/gateway.sock", "/egress/egress.sock", "/own/serve.sock")
    assert asked.guarded == ("/run/firebreak/locked", "/own")
    assert (asked.proxy, asked.scratch, asked.memory, asked.writable) == (3128, 5, 7, ("/tmp",))
    assert {"MINE", "HTTPS_PROXY", "all_proxy", "FIREBREAK_SECRETS", "PATH", "PWD"} <= set(asked.environment)


async def test_a_host_without_walls_has_less_to_tell() -> None:
    fake = Fake()
    bare = Surroundings(SERVICE, "127.0.0.1:7000", Path("token"), ("python",), listen="127.0.0.1:7001")
    await _told(fake.prover(around=bare))
    (asked,) = fake.asked
    assert (asked.own, asked.doors, asked.guarded) == (("/srv/mine", "/data", "token"), (), ("/run/firebreak/locked",))


async def test_the_same_question_within_a_second_gets_the_same_answer() -> None:
    fake = Fake()
    prover = fake.prover()
    for now, files, asked in ((0.0, "/a", 1), (0.9, "/a", 1), (0.9, "/b", 2), (1.0, "/b", 2), (2.0, "/b", 3)):
        fake.now = now
        await _told(prover, files=[files])
        assert len(fake.asked) == asked


async def test_one_at_a_time_and_not_too_many_wait() -> None:
    fake = Fake()
    prover = fake.prover()
    fake.go_on.clear()
    asking = [asyncio.ensure_future(_told(prover, files=["/a"])) for _ in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(ServedError, match="Too many") as refused:
        await _told(prover)
    assert refused.value.reason == "CONCURRENCY_LIMITED"
    fake.go_on.set()
    await asyncio.gather(*asking)
    assert len(fake.asked) == 1


async def test_a_self_test_without_an_answer_says_nothing_of_the_walls() -> None:
    fake = Fake()
    fake.error = SelfTestFailed("did not end within 5 s")
    prover = fake.prover(Walls(frozenset(TESTED)))
    with pytest.raises(ServedError, match="The self-test of mine did not end within 5 s") as failed:
        await _told(prover)
    assert failed.value.reason == "TARGET_UNAVAILABLE"
    fake.error = None
    assert (await _told(prover))["files"] == (HELD, "")


@pytest.mark.parametrize(
    "request_", [Request(files=["/x"] * 257), Request(sockets=["/" + "x" * 1024]), Request(addresses=["a\0b"])]
)
def test_a_question_has_bounds(request_: host_pb2.HostServiceProveRequest) -> None:
    with pytest.raises(ServedError, match="at most 256 entries of 1024 bytes"):
        prove_request(request_.SerializeToString())
    most = Request(files=["/" + "x" * 1023] * 256)
    assert prove_request(most.SerializeToString()) == most


def test_bytes_that_are_no_question_are_refused() -> None:
    with pytest.raises(ServedError, match="is not a HostServiceProveRequest"):
        prove_request(b"\xff\xff\xff")


def _self_test(script: str, children: set[int], limit: float = 20.0) -> SelfTest:
    import sys

    return SelfTest({"A": "b"}, children, (sys.executable, "-I", "-c", script), limit)


async def test_a_child_answers_in_its_last_line() -> None:
    children: set[int] = set()
    script = """
import json, os, sys
asked = json.load(sys.stdin)
print("a warning", file=sys.stderr)
print(json.dumps({"reached": {"files": asked["files"][0] + os.environ["A"]}, "untried": {"limits": 1}}))
"""
    findings = await _self_test(script, children)(Asked(files=("/f",)))
    assert findings == Findings({"files": "/fb"}, {"limits": "1"})
    assert not children


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("import sys; sys.exit('no module named x')", r"ended with exit code 1 \(no module named x\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended with SIGKILL"),
        ("print('[]')", "gave an answer that makes no sense"),
        ("print('{\"reached\": {}}')", "gave an answer that makes no sense"),
    ],
)
async def test_a_child_that_fails_is_told(script: str, problem: str) -> None:
    children: set[int] = set()
    with pytest.raises(SelfTestFailed, match=problem):
        await _self_test(script, children)(Asked())
    assert not children


async def test_a_child_that_does_not_end_is_ended() -> None:
    children: set[int] = set()
    with pytest.raises(SelfTestFailed, match=r"did not end within 0\.2 s"):
        await _self_test("import time; time.sleep(60)", children, 0.2)(Asked())
    assert not children


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(SelfTestFailed, match="could not be started: No such file"):
        await SelfTest({}, set(), ("/nowhere/python",))(Asked())
