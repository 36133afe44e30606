"""A bundle's tests run in a process of their own while another bundle decides, with the same result as in this one."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.adapters.policy.bundle import Bundle, read_bundle
from gateway.adapters.policy.embedded import EmbeddedEngine
from gateway.adapters.policy.problems import BundleError, Problem, Unreachable
from gateway.adapters.policy.trial import try_apart, try_here
from tests.unit.gateway.adapters.policy.folders import small

TEST = "package firebreak.main_test\n\n"
FAILS = TEST + "test_fails if {\n\tfalse\n}\n"
ENDLESS = TEST + "test_endless if {\n\tcount([1 | some a in r; some b in r; some c in r; some d in r]) > 0\n}\n"
ENDLESS += "\nr := numbers.range(1, 2000)\n"
UNSAFE = "package firebreak.main\n\nrarely if {\n\tnot nobody_defined_this\n}\n"


@pytest.mark.parametrize("trial", [try_here, try_apart])
async def test_a_sound_bundle(tmp_path: Path, trial):
    assert await trial(read_bundle(small(tmp_path))) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"firebreak/main/fails_test.rego": FAILS}, "test_fails"), ({"firebreak/main/rarely.rego": UNSAFE}, "unsafe")],
    ids=["test", "rule"],
)
async def test_both_find_the_same_problem(tmp_path: Path, changes: dict[str, str], told: str):
    bundle = read_bundle(small(tmp_path, changes))
    found = await try_apart(bundle)
    assert told in found[0].text
    assert found == await try_here(bundle)


async def test_tests_without_end_are_ended_and_the_loop_goes_on_meanwhile(tmp_path: Path):
    bundle = read_bundle(small(tmp_path, {"firebreak/main/endless_test.rego": ENDLESS}))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.ensure_future(count())
    assert await try_apart(bundle, limit=0.5) == [Problem("", 0, "its tests did not end within 0.5 s")]
    counting.cancel()
    assert turns > 1000


async def test_a_process_that_dies_is_the_bundles_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\ncat > /dev/null\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    (found,) = await try_apart(read_bundle(small(tmp_path / "policies")))
    assert "exit code 7" in found.text


async def test_where_no_process_can_be_started_the_bundle_is_not_at_fault(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    with pytest.raises(Unreachable, match="No such file"):
        await try_apart(read_bundle(small(tmp_path)))


async def test_the_first_bundle_is_tried_here_and_those_after_it_beside(tmp_path: Path):
    tried: list[str] = []

    async def beside(bundle: Bundle) -> list[Problem]:
        tried.append(bundle.revision)
        return [Problem("", 0, "not this one")]

    engine, bundle = EmbeddedEngine(beside), read_bundle(small(tmp_path))
    await engine.load(bundle)
    assert tried == []
    with pytest.raises(BundleError, match="not this one"):
        await engine.load(bundle)
    assert tried == [bundle.revision]
