"""The entrypoint is checked against the service's kind, and a wrong one is said plainly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime.errors import LoadError
from firebreak_runtime.objects import load
from firebreak_runtime.service_file import ServiceFile


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("not_a_tool", "tool", "a builtins.dict; the service needs a LangChain tool"),
        ("build_nothing", "tool", "the function build_nothing; the service needs"),
        ("Checked", "tool", "the class Checked itself"),
        ("add", "model", "the service needs a LangChain chat model"),
        ("scripted", "retriever", "the service needs a LangChain retriever"),
        ("words", "embedding", "the service needs a LangChain embeddings object"),
        ("not_a_tool", "agent", r"neither a Runnable nor a function build\(model, tools\)"),
        ("takes_three", "agent", "neither a Runnable nor a function"),
        ("missing", "tool", "has no 'missing'"),
    ],
)
def test_the_wrong_object_is_refused(serve: Any, name: str, kind: str, words: str) -> None:
    with pytest.raises(LoadError, match=words):
        serve(name, kind)


def test_a_finished_agent_cannot_use_anything(serve: Any) -> None:
    with pytest.raises(LoadError, match=r"name a function build\(model, tools\)"):
        serve("echo", "agent", uses_tools=("add",))


def test_an_import_that_fails_keeps_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken_upgrade.py").write_text("from orjson import ExecutionInfo\n")

    with pytest.raises(ImportError, match="ExecutionInfo"):
        load(ServiceFile(tmp_path, "it", "tool", "1.0.0", "broken_upgrade:it", "READ"))


def test_an_unknown_kind_is_refused(serve: Any) -> None:
    with pytest.raises(LoadError, match="none of tool, agent, model"):
        serve("add", "robot")


IMPORTS = """
import sys
from pathlib import Path
from firebreak_runtime.objects import load
from firebreak_runtime.service_file import ServiceFile
assert not [name for name in sys.modules if name.startswith(("langchain", "langgraph", "grpc"))]
load(ServiceFile(Path({folder!r}), "it", "tool", "1.0.0", "plain_tool:it", "READ")).warm()
heavy = ("grpc", "langgraph", "langchain.agents", "langchain_core.language_models.chat_models")
print([name for name in heavy if name in sys.modules])
"""


def test_a_tool_imports_neither_agents_nor_grpc(tmp_path: Path) -> None:
    (tmp_path / "plain_tool.py").write_text(
        "from langchain_core.tools import tool\n@tool\ndef it(a: int) -> int:\n    'Is it.'\n    return a\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(folder=str(tmp_path))],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
    )

    assert done.stdout.strip() == "[]", done.stderr
