"""The files of a new service are valid, and say the truth about defaults."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.scaffold.files import Wanted, written
from cli.scaffold.names import NewKind
from gateway.config import GatewayConfig, RouteConfig, ServiceConfig, ServiceEntry

ROOT = Path(__file__).parents[4]
REQUIREMENTS = "langchain==9.9.9\n"


def wanted(kind: str, name: str = "sample", langchain: str | None = None) -> Wanted:
    used: dict[str, Any] = {"tools": ("calculator", "handbook"), "model": "router"} if kind == "agent" else {}
    return Wanted(NewKind(kind), name, ("developer",), langchain, **used)


ALL = [
    *(wanted(kind, name) for kind in NewKind for name in ("sample", "two-words", "print", "class")),
    wanted("agent", "classic", "0.3.30"),
]


@pytest.fixture(params=ALL, ids=lambda item: f"{item.kind}-{item.name}")
def item(request: pytest.FixtureRequest) -> Wanted:
    made: Wanted = request.param
    return made


def test_the_service_file_is_valid_and_names_an_object_that_the_module_has(item: Wanted) -> None:
    files = written(item, REQUIREMENTS)
    config = ServiceConfig.model_validate(yaml.safe_load(files["service.yaml"]))
    assert (config.name, config.kind.value) == (item.name, item.kind.value)
    assert (config.uses.tools, config.uses.model) == (item.tools, (item.model,) if item.model else ())
    module, _, held = config.entrypoint.partition(":")
    defined = {
        name
        for node in ast.parse(files[f"{module}.py"]).body
        for name in ([node.name] if hasattr(node, "name") else [target.id for target in getattr(node, "targets", [])])
    }
    assert held in defined


def test_what_stands_as_a_comment_are_the_defaults(item: Wanted) -> None:
    text = written(item, REQUIREMENTS)["service.yaml"]
    commented = re.sub(r"(?m)^# (?=(?: {2}|env|runtime|limits|breaker|journal)[\w ]*:)", "", text)
    assert commented.count("\n#") < text.count("\n#") - 6
    parsed = [ServiceConfig.model_validate(yaml.safe_load(version)) for version in (text, commented)]
    assert parsed[0] == parsed[1]


def test_the_readme_names_the_files(item: Wanted) -> None:
    files = written(item, REQUIREMENTS)
    named = set(re.findall(r"`([\w.]+\.(?:py|yaml|in))`", files["README.md"]))
    assert named - {"firebreak.yaml", "requirements.lock"} == set(files) - {"README.md"}
    assert item.call in files["README.md"]


def test_the_code_passes_the_repositorys_own_checks(item: Wanted, tmp_path: Path) -> None:
    folder = tmp_path / item.folder
    folder.mkdir(parents=True)
    for name, content in written(item, REQUIREMENTS).items():
        (folder / name).write_text(content)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for check in (["check"], ["format", "--check"]):
        command = [
            sys.executable,
            "-m",
            "ruff",
            *check,
            "--no-cache",
            "--config",
            str(tmp_path / "pyproject.toml"),
            ".",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_requirements_are_the_default_ones_or_another_langchain() -> None:
    assert written(wanted("tool"), REQUIREMENTS)["requirements.in"] == REQUIREMENTS
    assert written(wanted("tool", langchain="0.3.30"), REQUIREMENTS)["requirements.in"] == "langchain==0.3.30\n"


def test_the_default_lock_is_hashed_and_holds_the_default_requirements() -> None:
    lock = (ROOT / "services/requirements.lock").read_text()
    assert "://" not in lock and "--index" not in lock
    for line in (ROOT / "services/requirements.in").read_text().split():
        assert re.search(rf"(?m)^{re.escape(line)} \\\n +--hash=sha256:", lock)


class TestShippedConfiguration:
    """What firebreak.yaml shows as comments is right."""

    TEXT = (ROOT / "firebreak.yaml").read_text()

    def test_the_example_of_a_route(self) -> None:
        example = self.TEXT[self.TEXT.index("# routes:") :]
        (entry,) = yaml.safe_load(re.sub(r"(?m)^# ", "", example))["routes"]
        route = RouteConfig.model_validate(entry)
        assert route.declared_effect.value == "READ"

    def test_the_services_that_are_out(self) -> None:
        out = re.findall(r"(?m)^ +# - path: (services/[a-z-]+)$", self.TEXT)
        assert set(out) == {"services/smollm", "services/provider"}
        for path in out:
            assert (ROOT / path / "service.yaml").is_file()

    def test_what_an_entry_need_not_say(self) -> None:
        config = GatewayConfig.model_validate(yaml.safe_load(self.TEXT))
        entry = ServiceEntry(path="services/NAME")  # type: ignore[call-arg]
        assert f"`address: {entry.address}`" in self.TEXT
        assert f"`identity: {entry.identity}`" in self.TEXT
        assert config.services[0].identity == "service:calculator"
