"""The embedded engine: what goes wrong in it denies, and never takes the gateway down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.policy.bundle import ENTRY_POINT, read_bundle
from gateway.adapters.policy.embedded import EmbeddedEngine, EmbeddedPolicy
from gateway.adapters.policy.interpreter import Interpreter
from gateway.adapters.policy.problems import BundleError
from gateway.policy import PolicyError
from tests.unit.gateway.adapters.policy.folders import DECISION, call, small


async def load(root: Path, changes: dict[str, str | None] | None = None) -> EmbeddedPolicy:
    return await EmbeddedEngine().load(read_bundle(small(root, changes)))


async def test_decides(tmp_path: Path):
    policy = await load(tmp_path)
    assert (await policy.decide(call("user:ada")))["allow"] is True  # type: ignore[index]
    assert (await policy.decide(call("user:eve")))["allow"] is False  # type: ignore[index]
    assert await policy.alive()


@pytest.mark.parametrize("bad", ["\ud800", 2**70, object()])
async def test_what_would_crash_the_interpreter_is_an_error(tmp_path: Path, bad: object):
    policy = await load(tmp_path)
    with pytest.raises((PolicyError, TypeError)):
        await policy.decide(call("user:ada", args={"x": bad}))
    assert (await policy.decide(call("user:ada")))["allow"] is True  # type: ignore[index]


async def test_an_error_while_deciding_names_file_and_line(tmp_path: Path):
    rule = "\ndecision := x if {\n\tinput.args.n == 0\n\tx := 1 / input.args.n\n}\n"
    policy = await load(tmp_path, {"firebreak/main/decision.rego": DECISION + rule})
    with pytest.raises(PolicyError, match=r"firebreak/main/decision.rego:12: divide by zero"):
        await policy.decide(call("user:ada", args={"n": 0}))


async def test_an_unsafe_variable_is_found_at_load(tmp_path: Path):
    rule = {"firebreak/main/rarely.rego": "package firebreak.main\n\nrarely if {\n\tnot nobody_defined_this\n}\n"}
    with pytest.raises(BundleError, match=r"firebreak/main/rarely.rego:4: .*unsafe"):
        await load(tmp_path, rule)


async def test_a_panic_of_the_interpreter_denies(tmp_path: Path):
    class Panic(BaseException):
        """What the interpreter raises is no Exception either."""

    class Panicking:
        def set_input_json(self, _: str) -> None: ...

        def eval_rule(self, _: str) -> Any:
            raise Panic("index out of bounds")

    policy = EmbeddedPolicy(read_bundle(small(tmp_path)), Interpreter(Panicking()))
    with pytest.raises(PolicyError, match="index out of bounds"):
        await policy.decide(call("user:ada"))


async def test_interrupting_the_gateway_is_no_panic(tmp_path: Path):
    class Interrupted:
        def set_input_json(self, _: str) -> None:
            raise KeyboardInterrupt

    policy = EmbeddedPolicy(read_bundle(small(tmp_path)), Interpreter(Interrupted()))
    with pytest.raises(KeyboardInterrupt):
        await policy.decide(call("user:ada"))


async def test_tests_are_not_part_of_what_decides(tmp_path: Path):
    policy = await load(tmp_path)
    assert policy.interpreter.packages() == [ENTRY_POINT.rpartition(".")[0]]


async def test_a_replaced_policy_lets_go_of_its_interpreter(tmp_path: Path):
    policy = await load(tmp_path)
    policy.release()
    with pytest.raises(PolicyError):
        await policy.decide(call("user:ada"))
