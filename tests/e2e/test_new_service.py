"""A service of one's own, as the README promises: made by one command, served by what runs, limited by policy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

from tests.e2e.clone import Clone
from tests.e2e.instance import ROOT, wait_for

LONG = '{"text": "this is by far too long"}'
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def clone() -> Iterator[Clone]:
    """A running copy of the repository; the tests below add to it, one after the other."""
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    clone = Clone(folder / "r", ["calculator", "router"])
    clone.start()
    yield clone
    clone.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(240)
def test_a_new_tool_is_served_without_a_restart_and_limited_by_its_grant(clone: Clone) -> None:
    started = clone.service("calculator")
    report = clone.new("tool", "shout")
    assert (report["state"], report["reason"]) == ("ready", "")
    assert report["next"] == [""".venv/bin/firebreak call shout '{"text": "hello"}'"""]
    done = clone.cli("call", "shout", '{"text": "hello"}')
    assert (done.returncode, done.stdout) == (0, "HELLO\n"), done.stderr
    assert clone.service("calculator")["python"] == started["python"]

    granted = "  shout:\n    developer:\n      roles: [developer]\n      actions: [describe, call]\n"
    grants = clone.policies / "data/grants.yaml"
    limited = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.S) if block.startswith("  shout:"))
    assert clone.cli("call", "shout", LONG).returncode == 0
    assert granted in grants.read_text()
    grants.write_text(grants.read_text().replace(granted, limited))
    denied = wait_for(lambda: (done := clone.cli("call", "shout", LONG)).returncode == 4 and done, 10, "the limit")
    assert "args.text" in denied.stderr
    assert "at most 20" in " ".join(denied.stderr.split())
    assert clone.cli("call", "shout", '{"text": "hello"}').stdout == "HELLO\n"


@pytest.mark.timeout(240)
def test_a_new_model_and_agents_that_use_what_was_made(clone: Clone) -> None:
    assert clone.new("model", "parrot")["state"] == "ready"
    assert clone.new("agent", "parrot-agent", "--model", "parrot")["state"] == "ready"
    assert clone.cli("ask", "parrot-agent", "hello").stdout == "HELLO\n"
    report = clone.new("agent", "helper")
    assert (report["state"], report["notes"]) == ("ready", [])
    done = clone.cli("ask", "helper", "What is 6 * 7?")
    assert "→ calculator" in done.stderr
    assert "42" in done.stdout


@pytest.mark.timeout(240)
def test_an_agent_on_another_langchain(clone: Clone) -> None:
    report = clone.new("agent", "older", "--langchain", "0.3.30")
    assert report["state"] == "ready"
    assert clone.service("older")["framework_version"] == "0.3.30"
    assert "42" in clone.cli("ask", "older", "What is 6 * 7?").stdout


@pytest.mark.parametrize(
    ("name", "python"),
    [
        ("shout", sys.executable),
        ("parrot", sys.executable),
        ("helper", sys.executable),
        ("older", str(ROOT / ".firebreak/envs/langchain-0.3/bin/python")),
    ],
)
def test_its_own_test_passes_alone_and_through_the_gateway(clone: Clone, name: str, python: str) -> None:
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-rs", f"services/{name}"],
        cwd=clone.folder,
        env=clone.environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_readme_shows_the_tool_as_it_is_made(clone: Clone) -> None:
    shown = next(
        block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "# services/shout/tool.py" in block
    )
    made = (clone.folder / "services/shout/tool.py").read_text()
    assert shown.removeprefix("# services/shout/tool.py\n") in made


@pytest.mark.timeout(240)
def test_a_folder_with_a_tool_and_a_service_file_is_enough(clone: Clone) -> None:
    """Without requirements of its own it gets the default environment, for itself alone."""
    folder = clone.folder / "services/tiny"
    folder.mkdir()
    made = clone.folder / "services/shout"
    (folder / "tool.py").write_text((made / "tool.py").read_text())
    (folder / "service.yaml").write_text((made / "service.yaml").read_text().replace("name: shout", "name: tiny"))
    clone.edit("data/grants.yaml", lambda data: data["grants"].update(tiny=deepcopy(data["grants"]["shout"])))
    command = [sys.executable, "scripts/setup.py", "service", "tiny"]
    done = subprocess.run(command, cwd=clone.folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    text = clone.config.read_text()
    clone.config.write_text(
        text.replace("  - path: services/router\n", "  - path: services/router\n  - path: services/tiny\n")
    )

    def answers() -> bool:
        return clone.cli("call", "tiny", '{"text": "hello"}').stdout == "HELLO\n"

    wait_for(answers, 60, "an answer of the new folder")
