"""An OPA that is dead, hung, restarted or answers nonsense: every call is denied, and it heals by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.adapters.policy.reload import LivePolicy, make_policy
from gateway.config import Policy
from gateway.policy import PolicyError
from tests.contract.policy.opa_server import OpaServer
from tests.contract.policy.test_live import running, until
from tests.unit.gateway.adapters.policy.folders import DECISION, call, small


class SilentServer:
    """A real TCP server that takes connections and requests, and never answers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.taken: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self.taken.append(self._socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()
        for connection in self.taken:
            connection.close()


@pytest.fixture
def hangs(own_opa: OpaServer) -> Iterator[Callable[[], SilentServer]]:
    """Puts a silent server in the place of the OPA."""
    servers = []

    def replace() -> SilentServer:
        own_opa.kill()
        servers.append(SilentServer(own_opa.port))
        return servers[-1]

    yield replace
    for server in servers:
        server.close()


def modules(server: OpaServer) -> list[str]:
    """Ids of the modules in an OPA, asked without the gateway."""
    with urllib.request.urlopen(f"{server.url}/v1/policies", timeout=5) as answer:
        return [policy["id"] for policy in json.load(answer)["result"]]


def policy_at(port: int, folder: Path, timeout: str = "250ms") -> LivePolicy:
    settings = {
        "engine": "opa",
        "path": str(folder),
        "timeout": timeout,
        "reload": "50ms",
        "opa": {"url": f"http://127.0.0.1:{port}"},
    }
    return make_policy(Policy.model_validate(settings), folder, time.monotonic)


async def decides(policy: LivePolicy) -> bool:
    try:
        return bool((await policy.decide(call("user:ada")))["allow"])
    except PolicyError:
        return False


async def heals(policy: LivePolicy) -> None:
    deadline = time.monotonic() + 20
    while not await decides(policy):
        assert time.monotonic() < deadline, policy.error
        await asyncio.sleep(0.02)


async def test_no_opa_at_the_start(tmp_path: Path):
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    policy = policy_at(port, small(tmp_path))
    with pytest.raises(PolicyError, match=r"OPA does not answer at http://127.0.0.1"):
        await policy.start()
    await policy.close()


async def test_killed_and_restarted_empty(own_opa: OpaServer, tmp_path: Path):
    policy = policy_at(own_opa.port, small(tmp_path), timeout="2s")
    await policy.start()
    async with running(policy):
        assert await decides(policy)
        own_opa.kill()
        started = time.monotonic()
        with pytest.raises(PolicyError):
            await policy.decide(call("user:ada"))
        assert time.monotonic() - started < 1.0, "a dead OPA is not waited for"
        await until(lambda: "OPA does not answer" in policy.error)
        own_opa.start()
        await heals(policy)
        await until(lambda: policy.error == "")
    await policy.close()


async def test_emptied_behind_the_gateways_back(own_opa: OpaServer, tmp_path: Path):
    """Nobody follows the engine here: an undefined decision is a denial, never a decision."""
    policy = policy_at(own_opa.port, small(tmp_path), timeout="2s")
    await policy.start()
    assert await decides(policy)
    own_opa.kill()
    own_opa.start()
    said = []
    for _ in range(3):  # a connection from before may have to fail first
        with pytest.raises(PolicyError) as caught:
            await policy.decide(call("user:ada"))
        said.append(str(caught.value))
    assert "undefined" in said[-1]
    await policy.poll()
    assert await decides(policy)
    await policy.close()


async def test_killed_under_load(own_opa: OpaServer, tmp_path: Path):
    """Calls in flight when OPA dies are denied; none is left hanging."""
    policy = policy_at(own_opa.port, small(tmp_path), timeout="2s")
    await policy.start()
    asked = [asyncio.create_task(decides(policy)) for _ in range(50)]
    await asyncio.sleep(0)
    own_opa.kill()
    answers = await asyncio.wait_for(asyncio.gather(*asked), 10)
    assert len(answers) == 50
    assert not await decides(policy)
    await policy.close()


async def denied_after(policy: LivePolicy) -> tuple[float, str]:
    """Seconds until a denial, and why the engine gave no decision."""
    started = time.monotonic()
    with pytest.raises(PolicyError) as caught:
        await policy.decide(call("user:ada"))
    return time.monotonic() - started, str(caught.value)


async def test_an_opa_that_never_answers(own_opa: OpaServer, hangs: Callable[[], SilentServer], tmp_path: Path):
    policy = policy_at(own_opa.port, small(tmp_path))
    await policy.start()
    silent = hangs()
    took = [await denied_after(policy) for _ in range(8)]
    assert all(seconds < 0.25 + 0.25 for seconds, _ in took)
    assert any("TimeoutError" in why for _, why in took), "it was asked and did not answer"
    assert all("in a row" in why and seconds < 0.1 for seconds, why in took[6:]), "the breaker is open: nobody waits"
    assert 1 <= len(silent.taken) <= 5
    await policy.close()


async def test_callers_that_give_up_do_not_keep_a_hung_opa_in_use(
    own_opa: OpaServer, hangs: Callable[[], SilentServer], tmp_path: Path
):
    policy = policy_at(own_opa.port, small(tmp_path))
    await policy.start()
    hangs()
    for _ in range(8):
        with contextlib.suppress(TimeoutError, PolicyError):
            async with asyncio.timeout(0.01):
                await policy.decide(call("user:ada"))
    deadline = time.monotonic() + 10
    while "in a row" not in (await denied_after(policy))[1]:
        assert time.monotonic() < deadline, "the breaker did not open"
    await policy.close()


async def test_one_question_that_opa_cannot_answer_is_no_outage(own_opa: OpaServer, tmp_path: Path):
    """An error in evaluating one call's arguments denies that call, and opens no breaker for the others."""
    rule = "\ndecision := x if {\n\tinput.args.n == 0\n\tx := 1 / input.args.n\n}\n"
    policy = policy_at(own_opa.port, small(tmp_path, {"firebreak/main/decision.rego": DECISION + rule}), timeout="2s")
    await policy.start()
    for _ in range(10):
        with pytest.raises(PolicyError, match="HTTP status"):
            await policy.decide(call("user:ada", args={"n": 0}))
    assert await decides(policy)
    await policy.close()


async def test_older_revisions_are_taken_out(own_opa: OpaServer, tmp_path: Path):
    policy = policy_at(own_opa.port, small(tmp_path), timeout="2s")
    await policy.start()
    for number in range(4):
        (tmp_path / "data/friends.yaml").write_text(f"friends: [user:ada]\nedit: {number}\n")
        await policy.poll()
        await policy.poll()
    names = modules(own_opa)
    assert {name.partition("/")[0][-32:] for name in names} >= {policy.revision[:32]}
    assert len({name.partition("/")[0] for name in names}) == 2
    assert not any(name.endswith("_test") for name in names), "tests do not stay in OPA"
    await policy.close()


async def test_what_a_refused_bundle_pushed_is_taken_out(own_opa: OpaServer, tmp_path: Path):
    policy = policy_at(own_opa.port, small(tmp_path), timeout="2s")
    await policy.start()
    (tmp_path / "firebreak/main/decision_test.rego").write_text("package firebreak.main_test\n\ntest_x if 1 == 2\n")
    await policy.poll()
    await policy.poll()
    assert "test_x" in policy.error
    names = modules(own_opa)
    assert {name.partition("/")[0][-32:] for name in names} == {policy.revision[:32]}
    await policy.close()


async def test_the_token_for_opa_is_read_again(tmp_path: Path):
    server = OpaServer("--authentication=token", "--authorization=basic", str(_only("secret-2", tmp_path)))
    server_token = tmp_path / "token"
    server_token.write_text("secret-1\n")
    server.start()
    folder = small(tmp_path / "policies")
    settings = {"engine": "opa", "path": "policies", "timeout": "2s", "opa": {"url": server.url, "token_file": "token"}}
    policy = make_policy(Policy.model_validate(settings), tmp_path, time.monotonic)
    try:
        with pytest.raises(PolicyError):
            await policy.start()
        server_token.write_text("secret-2\n")
        await policy.start()
        assert await decides(policy)
        assert folder.exists()
    finally:
        await policy.close()
        server.kill()


def _only(token: str, folder: Path) -> Path:
    """A policy for OPA's own interface: this token may do everything, and anybody may ask after its health."""
    file = folder / "authz.rego"
    file.write_text(
        "package system.authz\n\ndefault allow := false\n\n"
        f'allow if input.identity == "{token}"\n\nallow if input.path == ["health"]\n'
    )
    return file
