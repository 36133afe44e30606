"""LangChain's standard suites on local objects and on their proxies, on every supported framework, as one table.

    python -m tests.standard            the table
    python -m tests.standard --json     every figure and every difference, as JSON

The proxies call through a real gateway to real services. Exits with 1
where a test ends otherwise on a proxy than on the local object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.instance import ROOT, Instance

ENVS = ROOT / ".firebreak/envs"
SERVICES = Path(__file__).parent / "services"
NAMES = ("lookup", "talker", "finder", "embedder")
SUITES = {
    "suite_tools": "tools",
    "suite_chat_models": "chat models",
    "suite_retrievers": "retrievers",
    "suite_embeddings": "embeddings",
}


@dataclass(frozen=True)
class Framework:
    """A supported generation: the interpreter that has it, with LangChain's suites, and the environment of services on it."""

    name: str
    interpreter: Path
    services: Path
    suffix: str


FRAMEWORKS = (
    Framework("1.4.7", ROOT / ".venv/bin/python", ENVS / "assistant", ""),
    Framework("0.3.30", ENVS / "langchain-0.3/bin/python", ENVS / "langchain-0.3", "-classic"),
)

Ended = dict[str, str]


def served(folder: Path) -> Instance:
    """An instance that serves each object on each framework."""
    folders, envs = [], {}
    for framework in FRAMEWORKS:
        for name in NAMES:
            made = folder / f"{name}{framework.suffix}"
            made.mkdir()
            for file in (SERVICES / name).glob("*.*"):
                text = file.read_text()
                (made / file.name).write_text(text.replace(f"name: {name}\n", f"name: {made.name}\n"))
            folders.append(made)
            envs[made.name] = framework.services
    return Instance(folder / "i", folders, envs)


def run(client: Framework, server: Framework, instance: Instance, folder: Path) -> list[Ended]:
    """Runs all suites with one framework, their proxies calling services on another or the same."""
    results = folder / f"results{client.suffix}{server.suffix}.json"
    env = {
        "FIREBREAK_STANDARD_GATEWAY": instance.connection().address,
        "FIREBREAK_STANDARD_TOKEN_FILE": str(instance.state / "identity/tokens/developer.token"),
        "FIREBREAK_STANDARD_SUFFIX": server.suffix,
        "FIREBREAK_STANDARD_RESULTS": str(results),
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "services/runtime", ROOT / "proto", ROOT))),
    }
    collected = ["-o", "python_files=suite_*.py", "tests/standard/suites"]
    options = ["-q", "-c", "pyproject.toml", "-p", "tests.standard.results", *collected]
    done = subprocess.run(
        [client.interpreter, "-m", "pytest", *options],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    if not results.exists():
        raise SystemExit(f"the suites did not run on {client.name}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    ended: list[Ended] = json.loads(results.read_text())
    return ended


def differences(ended: list[Ended]) -> list[str]:
    """Tests that end otherwise on the proxy than on the local object, or that fail."""
    local = {
        (e["suite"], e["side"].removeprefix("TestLocal"), e["name"]): e["how"] for e in ended if "Local" in e["side"]
    }
    proxy = {
        (e["suite"], e["side"].removeprefix("TestProxy"), e["name"]): e["how"] for e in ended if "Proxy" in e["side"]
    }
    return [
        f"{' '.join(test)}: local {local.get(test, 'missing')}, proxy {proxy.get(test, 'missing')}"
        for test in sorted(local.keys() | proxy.keys())
        if local.get(test) != proxy.get(test) or "failed" in (local.get(test), proxy.get(test))
    ]


def figures(ended: list[Ended]) -> dict[str, dict[str, dict[str, int]]]:
    """By suite and side ("local", "proxy"): how many tests passed, skipped, failed."""
    counts: dict[str, dict[str, Counter[str]]] = {
        name: {"local": Counter(), "proxy": Counter()} for name in SUITES.values()
    }
    for each in ended:
        counts[SUITES[each["suite"]]]["local" if "Local" in each["side"] else "proxy"][each["how"]] += 1
    return {suite: {side: dict(how) for side, how in sides.items()} for suite, sides in counts.items()}


def everything() -> dict[str, Any]:
    """All pairings: figures and differences, and why tests were skipped."""
    with tempfile.TemporaryDirectory(prefix="fb-") as name:
        folder = Path(name)
        instance = served(folder)
        try:
            instance.start()
            pairs = [(client, server) for client in FRAMEWORKS for server in FRAMEWORKS]
            ended = {(c.name, s.name): run(c, s, instance, folder) for c, s in pairs}
        finally:
            instance.stop()
    return {
        "pairs": [
            {"client": client, "service": server, "figures": figures(tests), "differences": differences(tests)}
            for (client, server), tests in ended.items()
        ],
        "skipped": {
            e["name"].partition("[")[0]: e["why"] for tests in ended.values() for e in tests if e["how"] == "skipped"
        },
    }


def table(report: dict[str, Any]) -> str:
    """The figures in Markdown: a row for each suite and pairing; passed / skipped / failed."""
    lines = ["| suite | framework of the client | of the service | local object | proxy |", "|---|---|---|---|---|"]
    for suite in SUITES.values():
        for pair in report["pairs"]:
            sides = pair["figures"][suite]
            row = (suite, pair["client"], pair["service"], _shown(sides["local"]), _shown(sides["proxy"]))
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def _shown(how: dict[str, int]) -> str:
    return " / ".join(str(how.get(word, 0)) for word in ("passed", "skipped", "failed"))


def main(arguments: list[str]) -> int:
    report = everything()
    print(json.dumps(report, indent=1) if "--json" in arguments else table(report))
    found = [difference for pair in report["pairs"] for difference in pair["differences"]]
    for difference in found:
        print(difference, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
