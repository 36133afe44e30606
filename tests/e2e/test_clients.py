"""The clients of docs/clients.md, built as the page says and run against what is shipped: each must say the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.instance import ROOT, Instance

PAGE = ROOT / "docs/clients.md"
SOURCES = ROOT / "docs/clients"
BUILT = ROOT / ".firebreak/clients"
BUILD_SECONDS = 300.0
BUF = ROOT / ".venv/bin/buf"

SAID = [
    r"call: TOOL_STATUS_OK 7006652",
    r"run: → calculator",
    r"run: → handbook",
    r"run: .*7006652.*",
    r"denied: PERMISSIONDENIED POLICY_DENIED args\.code \S+",
    r"wrong: INVALIDARGUMENT args\.expression .*string.*",
    r"cancelled: CANCELL?ED",
]
"""What each client prints, a pattern a line; names of codes differ between languages, in case and underscores."""


def execute(*command: str | Path, folder: Path, **env: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def need(program: str) -> str:
    """The program's path; without it the test is skipped, except where all of them must be there."""
    found = shutil.which(program)
    if found is None:
        assert os.environ.get("FIREBREAK_TOOLS") != "required", f"{program} is not on PATH"
        pytest.skip(f"{program} is not on PATH")
    return found


def source(language: str) -> Path:
    """A copy of a client's folder in which to build: nothing is made in the tree."""
    folder = BUILT / language
    shutil.copytree(SOURCES / language, folder, dirs_exist_ok=True)
    return folder


def python() -> list[str | Path]:
    folder = source("python")
    generated = folder / "firebreak" / "v1"
    protos = sorted((ROOT / "proto/firebreak/v1").glob("*.proto"))
    generator = ROOT / ".firebreak/envs/generator/bin/python"
    out = ["--python_out=.", "--grpc_python_out=."]
    execute(generator, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", *out, *protos, folder=folder)
    # Our own environment has a package of this name: without this file it would be found before what was just generated.
    (generated.parent / "__init__.py").touch()
    return [sys.executable, "client.py"]


def go() -> list[str | Path]:
    compiler = need("go")
    folder = source("go")
    execute(BUF, "generate", ROOT / "proto", "--template", "buf.gen.yaml", folder=folder)
    execute(compiler, "vet", ".", folder=folder)
    execute(compiler, "build", "-o", "client", ".", folder=folder)
    return [folder / "client"]


def typescript() -> list[str | Path]:
    npm, node = need("npm"), need("node")
    folder = source("typescript")
    execute(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=folder)
    execute(npm, "run", "build", folder=folder)
    return [node, "dist/client.js"]


CLIENTS: dict[str, Callable[[], list[str | Path]]] = {"python": python, "go": go, "typescript": typescript}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", CLIENTS)
def test_a_client_calls_streams_reads_errors_and_cancels(language: str, shipped: Instance) -> None:
    command = CLIENTS[language]()
    token = shipped.state / "identity/tokens/developer.token"
    address = f"127.0.0.1:{shipped.ports['public']}"
    protos = [ROOT / "proto"] if language == "typescript" else []
    path = {"PYTHONPATH": str(BUILT / "python")} if language == "python" else {}
    said = execute(*command, address, token, *protos, folder=BUILT / language, **path).splitlines()
    # The two tools may start in any order, and an answer may have several lines.
    said = [line for line in said if re.match(r"(call|run|denied|wrong|cancelled): ", line)]
    assert len(said) == len(SAID), said
    said[1:3] = sorted(said[1:3])
    for line, pattern in zip(said, SAID, strict=True):
        assert re.fullmatch(pattern, _plain(line)), f"{line!r} is not {pattern!r}"


def _plain(line: str) -> str:
    """The line with the name of its status code in capitals, as one word."""
    kind, _, rest = line.partition(": ")
    if kind not in ("denied", "wrong", "cancelled"):
        return line
    code, *more = rest.split(" ", 1)
    return " ".join([f"{kind}: {code.replace('_', '').upper()}", *more])


@pytest.mark.parametrize("file", ["python/client.py", "go/main.go", "typescript/client.ts", "go/buf.gen.yaml"])
def test_the_page_quotes_the_programs_as_they_are(file: str) -> None:
    assert (SOURCES / file).read_text().strip() in PAGE.read_text()


def test_a_strangers_tool_finds_services_and_methods_by_reflection(shipped: Instance) -> None:
    address = f"http://127.0.0.1:{shipped.ports['public']}"
    options = ["--http2-prior-knowledge", "--protocol", "grpc"]
    listed = execute(BUF, "curl", *options, "--list-methods", address, folder=ROOT)
    assert "firebreak.v1.ToolService/Call" in listed.split()
    assert "firebreak.v1.AgentService/Run" in listed.split()


def test_a_strangers_tool_makes_a_call_with_nothing_but_reflection(shipped: Instance) -> None:
    token = (shipped.state / "identity/tokens/developer.token").read_text().strip()
    method = f"http://127.0.0.1:{shipped.ports['public']}/firebreak.v1.ToolService/Call"
    body = (
        '{"call": {"target": "calculator", "argsJson": "eyJleHByZXNzaW9uIjogIjYgKiA3In0="}}'  # {"expression": "6 * 7"}
    )
    options = ["--http2-prior-knowledge", "--protocol", "grpc", "--header", f"authorization: Bearer {token}"]
    assert '"42"' in execute(BUF, "curl", *options, "--data", body, method, folder=ROOT)
