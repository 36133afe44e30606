"""A service is made whole or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.scaffold.files import Wanted
from cli.scaffold.make import Made, make
from cli.scaffold.names import NewKind
from cli.scaffold.project import Project, Refused
from gateway.adapters.config_files import load
from gateway.adapters.policy.bundle import read_bundle
from gateway.adapters.policy.embedded import EmbeddedEngine
from gateway.config import PROBE
from tests.unit.gateway.adapters.policy.folders import call


def tool(name: str = "shout", **changes: Any) -> Wanted:
    return Wanted(**{"kind": NewKind.TOOL, "name": name, "roles": ("developer",)} | changes)


def agent(name: str = "helper", **changes: Any) -> Wanted:
    return tool(name, **{"kind": NewKind.AGENT, "tools": ("calculator",), "model": "router"} | changes)


def run(repository: Path, wanted: Wanted, installs: bool = True) -> Made:
    return make(Project.at(repository / "firebreak.yaml"), wanted, installs=installs, say=lambda line: None)


def content(repository: Path) -> dict[str, str]:
    """Every file of the repository but the scripts' notes."""
    return {
        str(file.relative_to(repository)): file.read_text()
        for file in sorted(repository.rglob("*"))
        if file.is_file() and file.name not in ("asked", "seen", "offline")
    }


def data(repository: Path, name: str) -> Any:
    return yaml.safe_load((repository / f"policies/data/{name}.yaml").read_text())[name]


def test_a_tool_is_there_installed_granted_and_configured(repository: Path) -> None:
    before = (repository / "firebreak.yaml").read_text()
    made = run(repository, tool(roles=("developer", "agent")))
    assert made.changed == ("policies/data/grants.yaml", "firebreak.yaml")
    assert sorted(file.name for file in (repository / "services/shout").iterdir()) == sorted(made.files)
    assert (repository / "services/shout/requirements.lock").read_text() == "the default lock\n"
    assert (repository / ".firebreak/envs/shout").is_dir()
    granted = {role: {"roles": [role], "actions": ["describe", "call"]} for role in ("developer", "agent")}
    probe = {
        "roles": ["probe"],
        "actions": ["call"],
        "args": {"only": ["text"], "fields": {"text": {"values": ["hello"]}}},
    }
    assert data(repository, "grants")["shout"] == granted | {"probe": probe}
    last = "  - path: services/router  # the last\n"
    assert (repository / "firebreak.yaml").read_text() == before.replace(last, f"{last}  - path: services/shout\n")
    assert load(repository / "firebreak.yaml").services[-1][1].name == "shout"


def test_the_environment_is_there_before_anybody_could_start_the_service(repository: Path) -> None:
    run(repository, tool())
    assert "shout" not in (repository / "seen").read_text()
    assert f"['service', 'shout'] in {repository}\n" == (repository / "asked").read_text()


def test_an_agent_gets_its_role_and_uses_what_was_said(repository: Path) -> None:
    made = run(repository, agent())
    assert made.notes == ()
    assert made.changed == ("policies/data/grants.yaml", "policies/data/roles.yaml", "firebreak.yaml")
    assert data(repository, "roles")["agent"]["principals"][-1] == "service:helper"
    config = load(repository / "firebreak.yaml").services[-1][1]
    assert (config.uses.tools, config.uses.model) == (("calculator",), ("router",))


@pytest.mark.parametrize(
    ("role", "after"),
    [
        ("agent: {prefixes: ['service:']}", {"prefixes": ["service:"], "principals": ["service:helper"]}),
        ("agent: {principals: [service:helper]}", {"principals": ["service:helper"]}),
        ("other: {principals: [a]}", {"principals": ["service:helper"]}),
    ],
)
def test_an_agents_role_as_it_may_stand_there(repository: Path, role: str, after: Any) -> None:
    (repository / "policies/data/grants.yaml").write_text("grants: {}\n")
    (repository / "policies/data/roles.yaml").write_text(f"roles:\n  developer: {{principals: [b]}}\n  {role}\n")
    run(repository, agent())
    assert data(repository, "roles")["agent"] == after


@pytest.mark.parametrize("wanted", [tool(), tool(kind=NewKind.MODEL), agent()])
async def test_the_gateway_may_make_its_probe_and_nothing_else(repository: Path, wanted: Wanted) -> None:
    await asyncio.to_thread(run, repository, wanted)
    probes = load(repository / "firebreak.yaml").services[-1][1].probes
    engine = await EmbeddedEngine().load(read_bundle(repository / "policies"))
    (probe,) = probes.allow
    asked = call(PROBE, target=wanted.name, action=probe.action, args=probe.args)
    if probe.prompt:
        asked["prompt"] = {"messages": 1, "characters": len(probe.prompt), "roles": ["user"], "tools": []}
    assert (await engine.decide(asked))["allow"] is True
    other = {"prompt": {**asked["prompt"], "characters": 6}} if probe.prompt else {"args": {"text": "another"}}
    if probe.action == "call":
        assert (await engine.decide({**asked, **other}))["allow"] is False
    assert (await engine.decide(call(PROBE, target="calculator", args={"expression": "1"})))["allow"] is False


def test_the_role_of_probes_is_made_where_it_is_missing(repository: Path) -> None:
    roles = data(repository, "roles")
    del roles["probe"]
    (repository / "policies/data/grants.yaml").write_text("grants: {}\n")
    (repository / "policies/data/roles.yaml").write_text(yaml.safe_dump({"roles": roles}))
    made = run(repository, tool())
    assert "policies/data/roles.yaml" in made.changed
    assert data(repository, "roles")["probe"] == {"principals": [PROBE]}


def test_an_agent_that_may_not_call_its_tool_is_told(repository: Path) -> None:
    run(repository, tool())
    made = run(repository, agent(tools=("shout", "calculator")))
    (note,) = made.notes
    assert note.startswith("policies/data/grants.yaml grants shout to no agent")


def test_another_langchain_is_locked(repository: Path) -> None:
    run(repository, tool(langchain="0.3.30"))
    assert (repository / "services/shout/requirements.in").read_text() == "langchain==0.3.30\n"
    assert (repository / "services/shout/requirements.lock").read_text() == "locked\n"
    assert (repository / "asked").read_text().startswith("lock services/shout\n")


@pytest.mark.parametrize(("langchain", "locked"), [(None, True), ("0.3.30", False)])
def test_without_an_index_all_but_the_environment_is_made(
    repository: Path, langchain: str | None, locked: bool
) -> None:
    made = run(repository, tool(langchain=langchain), installs=False)
    assert not made.installed
    assert ("requirements.lock" in made.files) is locked is (repository / "services/shout/requirements.lock").exists()
    assert not (repository / "asked").exists()
    assert load(repository / "firebreak.yaml").services[-1][1].name == "shout"


@pytest.mark.parametrize("langchain", [None, "1.4.6"])
def test_nothing_is_left_when_it_cannot_be_installed(repository: Path, langchain: str | None) -> None:
    (repository / "offline").touch()
    before = content(repository)
    with pytest.raises(Refused, match=r"(?s)no route to the index\nNothing was changed\..*--no-lock"):
        run(repository, tool(langchain=langchain))
    assert content(repository) == before
    assert not (repository / ".firebreak/envs/shout").exists()


def test_nothing_is_left_when_the_policy_would_not_come_into_force(repository: Path) -> None:
    roles = repository / "policies/data/roles.yaml"
    roles.write_text(roles.read_text() + "  broken: {principals: [1]}\n")
    before = content(repository)
    with pytest.raises(Refused, match=r"(?s)would not come into force.*roles\.yaml.*Nothing was changed"):
        run(repository, agent())
    assert content(repository) == before


def test_nothing_is_left_when_the_configuration_would_be_wrong(repository: Path) -> None:
    file = repository / "firebreak.yaml"
    taken = "- {path: services/calculator, address: 'unix:.firebreak/run/shout.sock'}"
    file.write_text(file.read_text().replace("- path: services/calculator", taken))
    before = content(repository)
    with pytest.raises(Refused, match=r"(?s)would be wrong with it:.*shout\.sock is used on line.*Nothing was changed"):
        run(repository, tool())
    assert content(repository) == before


def test_an_interruption_leaves_nothing(repository: Path) -> None:
    before = content(repository)

    def interrupted(line: str) -> None:
        if line.startswith("policies"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(Project.at(repository / "firebreak.yaml"), tool(), installs=True, say=interrupted)
    assert content(repository) == before


def test_what_somebody_else_wrote_meanwhile_stays(repository: Path) -> None:
    grants = repository / "policies/data/grants.yaml"

    def edited(line: str) -> None:
        if line.startswith("policies"):
            grants.write_text("grants: {}  # mine\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(Project.at(repository / "firebreak.yaml"), tool(), installs=True, say=edited)
    assert grants.read_text() == "grants: {}  # mine\n"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (tool("Shout"), "'Shout' is no name for a service"),
        (tool("gateway"), "the name of the gateway itself"),
        (tool("calculator"), "(?s)a folder services/calculator already.*firebreak.yaml has a calculator already"),
        (tool("python"), r"grants\.yaml has grants of python already"),
        (tool(langchain=">=1"), "no version of LangChain"),
        (tool(roles=("boss",)), r"no role boss in policies/data/roles\.yaml; there are: developer, agent"),
        (agent(tools=("router",)), "no tool 'router' in the configuration; there are: calculator"),
        (agent(model="gpt"), "no model 'gpt' in the configuration; there are: router"),
    ],
)
def test_what_is_refused_before_anything_is_done(repository: Path, wanted: Wanted, why: str) -> None:
    before = content(repository)
    with pytest.raises(Refused, match=why):
        run(repository, wanted)
    assert content(repository) == before
    assert not (repository / "asked").exists()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda root: (root / "firebreak.yaml").write_text("admin: 1\n"), r"(?s)wrong as it is.*firebreak\.yaml:1"),
        (lambda root: (root / "scripts/setup.py").unlink(), r"no scripts/setup\.py"),
        (lambda root: (root / "policies/data/grants.yaml").unlink(), r"grants\.yaml cannot be read"),
        (lambda root: (root / "policies/data/roles.yaml").write_text("a: 1\n"), "it must hold roles"),
        (lambda root: (root / "policies/data/roles.yaml").write_text("roles: 1\n"), "roles must be a mapping"),
        (lambda root: (root / "services/requirements.in").unlink(), r"services/requirements\.in is missing"),
    ],
)
def test_a_repository_in_which_nothing_can_be_made(repository: Path, spoil: Callable[[Path], Any], why: str) -> None:
    spoil(repository)
    with pytest.raises(Refused, match=why):
        run(repository, tool())
    assert not (repository / "services/shout").exists()


def test_two_at_the_same_time_take_turns(repository: Path) -> None:
    threads = [threading.Thread(target=run, args=(repository, tool(f"tool-{n}"))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    names = {f"tool-{n}" for n in range(3)}
    assert {service.name for _, service in load(repository / "firebreak.yaml").services} >= names
    assert set(data(repository, "grants")) >= names
