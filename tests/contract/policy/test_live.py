"""Editing a file takes effect within a second; a broken folder never replaces a good policy and says why."""

from __future__ import annotations

import asyncio
import re
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from gateway.adapters.policy.reload import LivePolicy
from gateway.config import Policy
from gateway.policy import PolicyError
from tests.contract.policy.conftest import Start
from tests.unit.gateway.adapters.policy.folders import DECISION, SHIPPED, TEST, call, shipped, small

EFFECT = 1.0
TRIES = 8
DEFAULT = Policy(path="policies")


@asynccontextmanager
async def running(policy: LivePolicy) -> AsyncIterator[LivePolicy]:
    task = asyncio.create_task(policy.run())
    try:
        yield policy
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool], seconds: float = 20.0) -> float:
    """Waits for a condition and returns how long it took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() < started + seconds, "it did not happen"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def edits(policy: LivePolicy, file: Path, texts: list[str]) -> float:
    """Seconds until an edit was in force, the best of several: a busy machine is no failure. A quick one is the last.

    Each is made when what the one before left in the engine has been swept out, as a person's would be.
    """
    looks, poll = [0], policy.poll

    async def counted() -> None:
        await poll()
        looks[0] += 1

    policy.poll = counted  # type: ignore[method-assign]
    took = []
    for text in texts:
        before = policy.revision
        file.write_text(text)
        took.append(await until(lambda seen=before: policy.revision != seen))
        if took[-1] < EFFECT:
            break
        ended = looks[0]
        await until(lambda seen=ended: looks[0] > seen + 1)
    policy.poll = poll  # type: ignore[method-assign]
    return min(took)


async def test_editing_data_takes_effect_within_a_second(start: Start, config: Policy, tmp_path: Path):
    assert config.reload == DEFAULT.reload
    async with running(await start(shipped(tmp_path))) as policy:
        assert (await policy.decide(call("user:zoe", target="calculator")))["allow"] is False
        roles = tmp_path / "data/roles.yaml"
        more = roles.read_text().replace("- user:developer", "- user:developer\n      - user:zoe")
        assert await edits(policy, roles, [more + "#\n" * number for number in range(TRIES)]) < EFFECT
        assert (await policy.decide(call("user:zoe", target="calculator")))["allow"] is True


async def test_taking_a_grant_away_takes_effect(start: Start, tmp_path: Path):
    """No test of the shipped policy stands in the way of denying more."""
    async with running(await start(shipped(tmp_path))) as policy:
        grants = tmp_path / "data/grants.yaml"
        for name in yaml.safe_load(grants.read_text())["grants"]:
            left = yaml.safe_load(grants.read_text())
            del left["grants"][name]
            await edits(policy, grants, [yaml.safe_dump(left)])
            assert policy.error == ""
            assert (await policy.decide(call("user:developer", target=name, args={"code": "1"})))["allow"] is False


async def test_editing_a_rule_takes_effect_within_a_second(start: Start, tmp_path: Path):
    async with running(await start(small(tmp_path))) as policy:
        changed = DECISION.replace("Not a friend.", "Nobody is a friend today.")
        texts = [changed + "#\n" * number for number in range(TRIES)]
        assert await edits(policy, tmp_path / "firebreak/main/decision.rego", texts) < EFFECT
        assert (await policy.decide(call("user:eve")))["reasons"][0]["message"] == "Nobody is a friend today."


RULE, MORE, TESTS, DATA = "decision.rego", "more.rego", "decision_test.rego", "../../data/friends.yaml"
UNSAFE = "package firebreak.main\n\nmore if {\n\tnot nobody_defined_this\n}\n"
BROKEN = [
    (RULE, DECISION + "\nbroken := = 1\n", "firebreak/main/decision.rego:10: "),
    (MORE, UNSAFE, "firebreak/main/more.rego:4: "),
    (MORE, "package firebreak.main\n\nmore := nosuch.function(1)\n", "firebreak/main/more.rego:3: "),
    (DATA, "friends:\n  - a\n - b\n", "data/friends.yaml:3: not valid YAML"),
    (DATA, "friends: [no]\n", "data/friends.yaml:1: readers of YAML disagree"),
    (TESTS, TEST + "\ntest_enemies if data.friends == []\n", "decision_test.rego:10: test test_enemies fails"),
    (RULE, DECISION.replace("decision", "verdict"), "decision_test.rego:6: test test_friends fails"),
    (RULE, DECISION.replace('"allow": false', '"allow": true'), "data.firebreak.main.decision allows"),
    (RULE, DECISION.replace('"allow": false', '"allow": "no"'), "allow is neither true nor false"),
    (RULE, DECISION.replace("default decision", "default ruling"), "data.firebreak.main.decision is undefined"),
]


@pytest.mark.parametrize(("file", "text", "why"), BROKEN, ids=[row[2] for row in BROKEN])
async def test_a_broken_folder_keeps_the_good_policy(start: Start, tmp_path: Path, file: str, text: str, why: str):
    async with running(await start(small(tmp_path))) as policy:
        before, edited = policy.revision, tmp_path / "firebreak/main" / file
        original = edited.read_text() if edited.exists() else None
        edited.write_text(text)
        await until(lambda: policy.error != "")
        assert why in policy.error
        assert policy.revision == before
        assert (await policy.decide(call("user:ada")))["allow"] is True
        assert (await policy.decide(call("user:eve")))["allow"] is False
        edited.unlink()
        if original is not None:
            edited.write_text(original)
        await until(lambda: policy.error == "")
        assert policy.revision == before


@pytest.mark.parametrize(("file", "text", "why"), BROKEN, ids=[row[2] for row in BROKEN])
async def test_a_broken_folder_is_no_start(start: Start, tmp_path: Path, file: str, text: str, why: str):
    small(tmp_path)
    (tmp_path / "firebreak/main" / file).write_text(text)
    with pytest.raises(PolicyError) as caught:
        await start(tmp_path)
    assert why in str(caught.value)


async def test_decisions_go_on_while_a_policy_is_loaded(start: Start, tmp_path: Path):
    """A hundred edits under load: each decision is by the one or the other policy, none fails."""
    async with running(await start(small(tmp_path))) as policy:
        seen: list[bool] = []

        async def ask() -> None:
            while len(seen) < 2000:
                seen.append((await policy.decide(call("user:ada")))["allow"])
                await asyncio.sleep(0)

        asking = asyncio.create_task(ask())
        revisions = {policy.revision}
        while not asking.done():
            (tmp_path / "data/friends.yaml").write_text(f"friends: [user:ada]\nedit: {len(revisions)}\n")
            await asyncio.sleep(0.2)
            revisions.add(policy.revision)
        await asking
        assert all(seen)
        assert policy.error == ""


async def test_a_function_in_one_file_and_its_use_in_another(start: Start, tmp_path: Path):
    """Packages that call each other's functions are loaded in whatever order they need."""
    files = {
        "acme/first/a.rego": "package acme.first\n\nimport data.acme.second\n\nf(x) := second.g(x) + 1\n",
        "acme/second/b.rego": "package acme.second\n\nimport data.acme.third\n\ng(x) := third.h(x) + 1\n",
        "acme/third/c.rego": "package acme.third\n\nh(x) := x + data.base\n",
        "acme/first/a_test.rego": "package acme.first_test\n\nimport data.acme.first\n\ntest_f if first.f(1) == 13\n",
        "data/base.yaml": "base: 10\n",
    }
    assert (await (await start(small(tmp_path, files))).decide(call("user:ada")))["allow"] is True


async def test_a_package_of_several_files_reached_through_an_import(start: Start, tmp_path: Path):
    """The interpreter answers wrongly here unless it gets the package in one piece; OPA refuses the files one by one."""
    files = {
        "acme/many/a.rego": "package acme.many\n\nunused := 1\n",
        "acme/many/b.rego": (
            "package acme.many\n\nhere := data.grants[input.target.name]\n\nroles := data.roles\n\n"
            "held[principal] contains name if {\n\tsome name, grant in here\n\tsome role in grant.roles\n"
            "\tsome principal in input.chain\n\tprincipal in roles[role]\n}\n\n"
            "covering[principal] contains name if {\n\tsome principal, names in held\n\tsome name in names\n"
            "\tgrant := here[name]\n\tevery part in object.keys(grant) - plain {\n\t\tpart\n\t}\n}\n\n"
            'plain := {"roles"}\n'
        ),
        "acme/many/b_test.rego": (
            "package acme.many_test\n\nimport data.acme.many\n\ntest_covering if {\n"
            '\tmany.covering == {"ada": {"g"}} with input as {"target": {"name": "t"}, "chain": ["ada"]}\n'
            '\t\twith data.grants as {"t": {"g": {"roles": ["r"]}}}\n\t\twith data.roles as {"r": ["ada"]}\n}\n'
        ),
    }
    await start(small(tmp_path, files))


async def test_the_rule_that_the_guide_adds(start: Start, tmp_path: Path):
    """The example of docs/policy-guide.md, as it is written there."""
    guide = (SHIPPED.parent / "docs/policy-guide.md").read_text().partition("## Adding a rule")[2].partition("\n## ")[0]
    rule, reason, test = (textwrap.dedent(block) for block in re.findall(r"```rego\n(.*?)```", guide, re.DOTALL))
    main = shipped(tmp_path) / "firebreak/main"
    (tmp_path / "acme/hours").mkdir(parents=True)
    (tmp_path / "acme/hours/open.rego").write_text(rule.replace("hour >= 6", "hour >= 25"))
    (tmp_path / "acme/hours/open_test.rego").write_text(test.replace("test_python_by_day if {", "test_day if {\n\tnot"))
    for name in ("decision.rego", "reasons.rego"):
        text = (main / name).read_text()
        (main / name).write_text(
            text.replace("\npackage firebreak.main\n", "\npackage firebreak.main\n\nimport data.acme.hours\n")
        )
    decision = (main / "decision.rego").read_text()
    (main / "decision.rego").write_text(decision.replace("allowed if {\n", "allowed if {\n\thours.open\n"))
    (main / "reasons.rego").write_text((main / "reasons.rego").read_text() + "\n" + reason)
    policy = await start(tmp_path)
    assert (await policy.decide(call("user:developer", target="calculator")))["allow"] is True
    denial = await policy.decide(call("user:developer", target="python", args={"code": "1"}))
    assert denial["allow"] is False
    assert [reason["rule"] for reason in denial["reasons"]] == ["acme.hours"]


async def test_the_shipped_folder_loads_quickly(start: Start):
    started = time.monotonic()
    await start(SHIPPED)
    assert time.monotonic() - started < 10.0
