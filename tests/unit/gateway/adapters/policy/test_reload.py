"""The policy in force follows its folder, and a broken folder never replaces a good one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.policy.bundle import Bundle
from gateway.adapters.policy.problems import BundleError, Problem, Unreachable
from gateway.adapters.policy.reload import LivePolicy, make_policy
from gateway.config import Policy
from gateway.policy import PolicyError
from tests.unit.gateway.adapters.policy.folders import call, small

DENY = {"allow": False, "reasons": [], "obligations": {}}


@dataclass
class FakeLoaded:
    bundle: Bundle
    engine: FakeEngine

    async def decide(self, document: Mapping[str, Any]) -> object:
        self.engine.now += self.engine.takes
        if self.engine.gate is not None:
            await self.engine.gate.wait()
        if isinstance(self.engine.answer, Exception):
            raise self.engine.answer
        return self.engine.answer

    def release(self) -> None:
        self.engine.released.append(self.bundle.revision)

    async def alive(self) -> bool:
        if self.engine.down:
            raise Unreachable("down")
        return self.bundle.revision in self.engine.holds


@dataclass
class FakeEngine:
    """Loads everything while it is up; `refuse` makes it call a bundle broken."""

    answer: object = field(default_factory=lambda: dict(DENY))
    takes: float = 0.0
    now: float = 0.0
    down: bool = False
    refuse: bool = False
    full: bool = False
    holds: set[str] = field(default_factory=set)
    kept: list[Sequence[str]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    closed: bool = False
    name: str = "fake"
    gate: asyncio.Event | None = None
    """Decisions wait for it."""

    async def load(self, bundle: Bundle) -> FakeLoaded:
        if self.down:
            raise Unreachable("down")
        if self.full:
            raise PolicyError("full")
        if self.refuse:
            raise BundleError([Problem("a.rego", 3, "test test_x fails: it is not true")])
        self.holds.add(bundle.revision)
        return FakeLoaded(bundle, self)

    async def sweep(self, keep: Sequence[str]) -> None:
        self.kept.append(keep)

    async def close(self) -> None:
        self.closed = True


@dataclass
class Case:
    root: Path
    engine: FakeEngine
    policy: LivePolicy

    def edit(self, text: str) -> None:
        (self.root / "data/friends.yaml").write_text(text)

    async def polls(self, times: int = 2) -> None:
        for _ in range(times):
            await self.policy.poll()


@pytest.fixture
async def case(tmp_path: Path) -> Case:
    engine = FakeEngine()
    policy = LivePolicy(engine, small(tmp_path), 0.25, 0.1, lambda: engine.now)
    await policy.start()
    return Case(tmp_path, engine, policy)


async def test_a_changed_folder_is_loaded_once_it_is_still(case: Case):
    before = case.policy.revision
    case.edit("friends: []\n")
    await case.polls(1)
    assert case.policy.revision == before, "it may still be being written"
    case.edit("friends: [user:bob]\n")
    await case.polls(1)
    assert case.policy.revision == before
    await case.polls(1)
    assert case.policy.revision != before
    assert case.policy.error == ""


async def test_a_folder_that_was_edited_is_looked_at_more_often_for_five_seconds(case: Case):
    assert case.policy.pause() == 0.1
    case.edit("friends: []\n")
    await case.polls()
    case.engine.now = 4.9
    assert case.policy.pause() == 0.05
    case.engine.now = 5.0
    assert case.policy.pause() == 0.1


async def test_the_same_content_is_not_loaded_again(case: Case):
    case.edit("friends: [user:ada]\n")
    await case.polls()
    assert len(case.engine.kept) == 1


async def test_the_revision_before_outlives_the_switch(case: Case):
    first = case.policy.revision
    case.edit("friends: []\n")
    await case.polls()
    assert case.engine.kept[-1] == [case.policy.revision, first]
    assert case.engine.released == [first]


async def test_the_older_one_is_swept_out_when_nobody_asks_it_any_more(case: Case):
    case.engine.gate = asyncio.Event()
    asking = asyncio.ensure_future(case.policy.decide(call("user:ada")))
    await asyncio.sleep(0)
    first = case.policy.revision
    case.edit("friends: []\n")
    await case.polls(5)
    assert case.engine.kept[-1] == [case.policy.revision, first]
    case.engine.gate.set()
    await asking
    await case.polls(1)
    assert case.engine.kept[-1] == [case.policy.revision]
    swept = len(case.engine.kept)
    await case.polls(3)
    assert len(case.engine.kept) == swept, "there is nothing more to sweep out"


async def test_a_broken_file_keeps_the_old_policy_and_says_why(case: Case):
    before = case.policy.revision
    case.edit("friends: [\n")
    await case.polls()
    assert case.policy.revision == before
    assert case.policy.error.startswith("data/friends.yaml:2: not valid YAML")
    assert await case.policy.decide(call("user:ada")) == DENY
    case.edit("friends: []\n")
    await case.polls()
    assert case.policy.error == ""
    assert case.policy.revision != before


async def test_undoing_a_broken_edit_clears_the_error(case: Case):
    case.edit("friends: [\n")
    await case.polls()
    case.edit("friends: [user:ada]\n")
    await case.polls()
    assert case.policy.error == ""


async def test_a_bundle_that_the_engine_refuses(case: Case):
    before = case.policy.revision
    case.engine.refuse = True
    case.edit("friends: []\n")
    await case.polls(4)
    assert case.policy.revision == before
    assert case.policy.error == "a.rego:3: test test_x fails: it is not true"


async def test_a_folder_that_vanishes_keeps_the_policy(case: Case):
    before = case.policy.revision
    case.root.rename(case.root.with_name("away"))
    await case.polls()
    assert case.policy.revision == before
    assert "missing" in case.policy.error


async def test_an_engine_that_lost_the_policy_gets_it_again(case: Case):
    case.engine.holds.clear()
    await case.polls(1)
    assert case.engine.holds == {case.policy.revision}


async def test_a_lost_policy_comes_back_although_the_folder_is_broken(case: Case):
    case.edit("friends: [\n")
    await case.polls()
    case.engine.holds.clear()
    await case.polls(1)
    assert case.engine.holds == {case.policy.revision}
    assert "friends.yaml" in case.policy.error


async def test_a_change_that_the_engine_does_not_take_stays_an_error(case: Case):
    """It still decides by the old policy; that must not look as if all were well."""
    before = case.policy.revision
    case.engine.full = True
    case.edit("friends: []\n")
    await case.polls(3)
    assert case.policy.error == "full"
    assert case.policy.revision == before
    case.engine.full = False
    await case.polls(1)
    assert case.policy.error == ""


async def test_a_change_while_the_engine_is_down_is_loaded_when_it_is_back(case: Case):
    before = case.policy.revision
    case.engine.down = True
    case.edit("friends: []\n")
    await case.polls(3)
    assert case.policy.error == case.policy.failing == "down"
    case.engine.down = False
    await case.polls(1)
    assert case.policy.revision != before
    assert case.policy.error == case.policy.failing == ""


@pytest.mark.parametrize(
    "answer", [None, True, {}, {"allow": True}, {**DENY, "allow": "yes"}, PolicyError("x"), RuntimeError("x")]
)
async def test_whatever_is_no_decision_denies(case: Case, answer: object):
    case.engine.answer = answer
    with pytest.raises(PolicyError):
        await case.policy.decide(call("user:ada"))


async def test_a_decision_that_comes_late_is_none(case: Case):
    case.engine.takes = 0.25
    assert await case.policy.decide(call("user:ada")) == DENY
    case.engine.takes = 0.26
    with pytest.raises(PolicyError, match="took"):
        await case.policy.decide(call("user:ada"))


async def test_nothing_is_decided_before_the_start_and_after_the_end(tmp_path: Path):
    engine = FakeEngine()
    policy = LivePolicy(engine, small(tmp_path), 0.25, 0.1, lambda: 0.0)
    assert policy.revision == ""
    with pytest.raises(PolicyError, match="no policy"):
        await policy.decide(call("user:ada"))
    await policy.start()
    await policy.close()
    assert engine.closed
    assert len(engine.released) == 1
    with pytest.raises(PolicyError, match="no policy"):
        await policy.decide(call("user:ada"))


async def test_a_first_load_that_fails_is_an_error(tmp_path: Path):
    policy = LivePolicy(FakeEngine(), small(tmp_path, {"data/friends.yaml": "["}), 0.25, 0.1, lambda: 0.0)
    with pytest.raises(PolicyError, match=r"data/friends.yaml:2"):
        await policy.start()


async def test_made_from_configuration(tmp_path: Path):
    small(tmp_path / "rules")
    policy = make_policy(Policy(path="rules"), tmp_path, lambda: 0.0)
    await policy.start()
    assert policy.name == "embedded"
    assert (await policy.decide(call("user:ada")))["allow"] is True


@pytest.mark.parametrize("url", ["", "localhost:8181", "ftp://x", "http://", "http://x/path", "http://x?y=1"])
def test_an_address_of_opa_that_is_none(tmp_path: Path, url: str):
    config = Policy.model_validate({"engine": "opa", "path": "rules", "opa": {"url": url}})
    with pytest.raises(ValueError, match="address of OPA"):
        make_policy(config, tmp_path, lambda: 0.0)
