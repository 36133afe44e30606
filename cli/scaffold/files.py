"""The files of a new service, from the templates beside this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from string import Template

from cli.scaffold.names import NewKind, class_name, is_classic, object_name

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Wanted:
    """What is to be made. `tools` and `model` are what an agent uses; `langchain` None is the default environment's."""

    kind: NewKind
    name: str
    roles: tuple[str, ...]
    langchain: str | None = None
    tools: tuple[str, ...] = ()
    model: str = ""

    @property
    def folder(self) -> str:
        return f"services/{self.name}"

    @property
    def call(self) -> str:
        """A command that calls it."""
        if self.kind is NewKind.TOOL:
            return f'.venv/bin/firebreak call {self.name} \'{{"text": "hello"}}\''
        if self.kind is NewKind.AGENT:
            return f'.venv/bin/firebreak ask {self.name} "What is 1234 * 5678?"'
        return f".venv/bin/firebreak new agent {self.name}-agent --model {self.name}"


def written(wanted: Wanted, requirements: str) -> dict[str, str]:
    """Content by file name. `requirements` are those of the default environment."""
    words = _words(wanted)
    folders = [TEMPLATES / "every", TEMPLATES / wanted.kind]
    if wanted.kind is NewKind.AGENT and is_classic(wanted.langchain):
        folders.append(TEMPLATES / "agent-classic")
    files = {
        file.name.removesuffix(".txt"): Template(file.read_text()).substitute(words)
        for folder in folders
        for file in sorted(folder.glob("*.txt"))
    }
    files[f"test_{words['plain']}.py"] = files.pop("test.py")
    files["requirements.in"] = f"langchain=={wanted.langchain}\n" if wanted.langchain else requirements
    return files


def _words(wanted: Wanted) -> dict[str, str]:
    plain = wanted.name.replace("-", "_")
    held = object_name(wanted.name, wanted.kind)
    article = "An" if wanted.kind is NewKind.AGENT else "A"
    classic = wanted.kind is NewKind.AGENT and is_classic(wanted.langchain)
    return {
        "name": wanted.name,
        "kind": wanted.kind.value,
        "A_kind": f"{article} {wanted.kind}",
        "plain": plain,
        "object": held,
        "decorator": "@tool" if held == wanted.name else f'@tool("{wanted.name}")',
        "class": class_name(wanted.name),
        "import": _import(wanted.name, wanted.kind, "build" if wanted.kind is NewKind.AGENT else held),
        "imports": "" if _importable(wanted.name) else "from importlib import import_module\n",
        "tools": json.dumps(list(wanted.tools)).replace('"', ""),
        "model": wanted.model,
        "call": wanted.call,
        "question": '{"input": "What is an apple?"}' if classic else '{"messages": [("user", "What is an apple?")]}',
        "answer": 'result["output"]' if classic else 'result["messages"][-1].content',
        "python": ".firebreak/envs/langchain-0.3/bin/python" if classic else ".venv/bin/python",
    }


def _importable(name: str) -> bool:
    return "-" not in name and object_name(name, NewKind.TOOL) == name


def _import(name: str, module: str, held: str) -> str:
    """The statement that brings the object into its test; a name with a dash is none that `import` takes."""
    if _importable(name):
        return f"from services.{name}.{module} import {held}"
    return f'{held} = import_module("services.{name}.{module}").{held}'
