"""Every shipped service's files hold together."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from gateway.config import Effect, ServiceConfig
from gateway.routes import Kind
from tests.unit.services.environments import EXTRAS, ROOT, SERVICES, run_in

FOLDERS = [ROOT / "services" / name for name in (*SERVICES, *EXTRAS)]


def load(folder: Path) -> ServiceConfig:
    return ServiceConfig.model_validate(yaml.safe_load((folder / "service.yaml").read_text()))


def locked(folder: Path) -> dict[str, str]:
    """Version by package, of a lock without markers that matter here."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", (folder / "requirements.lock").read_text(), re.MULTILINE))


def test_these_are_all_services() -> None:
    assert {file.parent.name for file in (ROOT / "services").glob("*/service.yaml")} >= {*SERVICES, *EXTRAS}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_service_file_is_valid_and_named_after_its_folder(folder: Path) -> None:
    config = load(folder)
    assert config.name == folder.name
    assert (folder / f"{config.entrypoint.partition(':')[0].replace('.', '/')}.py").is_file()


def test_kinds_and_effects() -> None:
    assert {folder.name: (load(folder).kind, load(folder).declared_effect) for folder in FOLDERS} == {
        "assistant": (Kind.AGENT, Effect.MUTATING),
        "assistant-classic": (Kind.AGENT, Effect.MUTATING),
        "calculator": (Kind.TOOL, Effect.READ),
        "handbook": (Kind.TOOL, Effect.READ),
        "provider": (Kind.MODEL, Effect.READ),
        "python": (Kind.TOOL, Effect.MUTATING),
        "router": (Kind.MODEL, Effect.READ),
        "smollm": (Kind.MODEL, Effect.READ),
        "sql": (Kind.TOOL, Effect.READ),
        "web-fetch": (Kind.TOOL, Effect.READ),
    }


@pytest.mark.parametrize("name", ["assistant", "assistant-classic"])
def test_what_an_agent_uses_is_there_and_of_the_right_kind(name: str) -> None:
    uses = load(ROOT / "services" / name).uses
    assert [load(ROOT / "services" / tool).kind for tool in uses.tools] == [Kind.TOOL] * 3
    assert [load(ROOT / "services" / model).kind for model in uses.model] == [Kind.MODEL]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_lock_has_hashes_and_no_addresses(folder: Path) -> None:
    lock = (folder / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    requirements = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    assert all("--hash=sha256:" in requirement for requirement in requirements if requirement.strip())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_lock_holds_what_the_service_and_the_runtime_ask_for(folder: Path) -> None:
    runtime = tomllib.loads((ROOT / "services" / "runtime" / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = [*runtime, *(folder / "requirements.in").read_text().splitlines()]
    names = {re.split(r"[<>=!~ ]", line)[0] for line in wanted if line and not line.startswith("#")}
    assert names - {"firebreak-proto"} <= set(locked(folder))


def test_two_majors_of_langchain_and_of_protobuf_run_side_by_side() -> None:
    modern, classic = locked(ROOT / "services" / "assistant"), locked(ROOT / "services" / "assistant-classic")
    assert (modern["langchain"], modern["langchain-core"]) == ("1.4.7", "1.7.2")
    assert (classic["langchain"], classic["langchain-core"]) == ("0.3.30", "0.3.86")
    assert (modern["protobuf"].split(".")[0], classic["protobuf"].split(".")[0]) == ("7", "6")


@pytest.mark.parametrize("name", SERVICES)
def test_the_entrypoint_loads_in_its_own_environment_without_firebreak(name: str) -> None:
    entrypoint = load(ROOT / "services" / name).entrypoint
    report = run_in(name, Path(__file__).with_name("loading.py"), entrypoint)
    assert report == {"callable": True, "firebreak": []}
