"""service.yaml as the runtime reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from firebreak_runtime.service_file import ServiceFile, ServiceFileError, parse_service_file, read_service_file
from pydantic import ValidationError

from gateway.config import Egress

FOLDER = Path("calculator")
GOOD = """
name: calculator
kind: tool
version: 1.2.3
entrypoint: calculator.tool:calculator
effect: READ
"""


def test_a_tool_names_the_namespaces_of_a_store() -> None:
    assert parse_service_file(GOOD + 'store: [memories, "users.ann"]', FOLDER).store == ("memories", "users.ann")
    assert parse_service_file(GOOD, FOLDER).store is None


@pytest.mark.parametrize("value", ["[]", "memories", '[""]', '["a..b"]', '[".a"]', "[1]"])
def test_what_names_no_namespace_is_refused(value: str) -> None:
    (problem,) = _problems(GOOD + f"store: {value}")
    assert "store: must be a list of namespaces of the agent's store" in problem


def test_only_a_tool_has_a_store() -> None:
    text = GOOD.replace("kind: tool", "kind: model").replace("effect: READ", "store: [memories]")
    assert _problems(text) == ["service.yaml:6: store: is only for tools"]


WALLS = """egress:
  - docs.python.org
  - "*.example.org"
  - http://example.org
  - {to: "http://127.0.0.1:8000", private: true}
reads: [/var/lib/shop]
sandbox: {memory: 2GiB, cpus: 0.5, processes: 32, scratch: 1MiB}
probes: {allow: [{name: adds, args: {}}]}
"""


def test_what_it_may_reach_and_use_beside_the_gateway() -> None:
    service = parse_service_file(GOOD + WALLS, FOLDER)
    assert service.egress == ("docs.python.org", "*.example.org", "http://example.org", "http://127.0.0.1:8000")
    assert (service.reads, service.processes, service.scratch) == (("/var/lib/shop",), 32, 1024**2)
    plain = parse_service_file(GOOD, FOLDER)
    assert (plain.egress, plain.reads, plain.processes, plain.scratch) == ((), (), 256, 64 * 1024**2)


@pytest.mark.parametrize(
    "to", ["", "*", "*.", "a b", "https://", "ftp://a", "a:0", "a:65536", "a/b", "A.org", "a..b", "*a"]
)
def test_runtime_and_gateway_agree_on_what_names_no_host(to: str) -> None:
    (problem,) = _problems(GOOD + f'egress:\n  - "{to}"\n')
    assert problem.startswith("service.yaml:7: egress: ")
    with pytest.raises(ValidationError):
        Egress.model_validate(to)


def _problems(text: str) -> list[str]:
    with pytest.raises(ServiceFileError) as wrong:
        parse_service_file(text, FOLDER)
    return str(wrong.value).splitlines()


def test_a_short_file_gets_the_defaults() -> None:
    service = parse_service_file(GOOD, FOLDER)
    assert service == ServiceFile(FOLDER, "calculator", "tool", "1.2.3", "calculator.tool:calculator", "READ")
    assert (service.workers, service.spare, service.queue, service.mode) == (2, 1, 64, "auto")


def test_every_key_has_an_effect() -> None:
    text = """
name: assistant
kind: agent
version: 0.1.0
entrypoint: assistant:build
python: "3.12"
uses:
  tools: [calculator, handbook]
  model: router
env:
  SETTING: "on"
runtime:
  mode: async
  workers: 3
  spare: 0
  queue: 7
  calls_per_worker: 9
  memory: 512MiB
  start_timeout: 1.5s
limits: {deadline: 5s}
breaker: {window: 10s}
retry: {attempts: 1}
"""
    assert parse_service_file(text, FOLDER) == ServiceFile(
        FOLDER, "assistant", "agent", "0.1.0", "assistant:build", None, ("calculator", "handbook"), ("router",),
        (("SETTING", "on"),), "async", 3, 0, 7, 9, True, 512 * 1024**2, 1.5,
    )  # fmt: skip


def test_of_limits_the_runtime_reads_what_only_it_can_count() -> None:
    model = GOOD.replace("kind: tool", "kind: model").replace("effect: READ\n", "")
    limits = "limits: {deadline: 5s, tokens: {prompt: 100, answer: 20, per_minute: 5000}}\n"
    bounded = parse_service_file(model + limits, FOLDER)
    assert (bounded.prompt_tokens, bounded.answer_tokens) == (100, 20)
    free = parse_service_file(model + "limits: {tokens: {per_minute: 5000}}\n", FOLDER)
    assert (free.prompt_tokens, free.answer_tokens) == (None, None)


@pytest.mark.parametrize(
    ("written", "models"),
    [("router", ("router",)), ("[provider, router]", ("provider", "router")), ("[router]", ("router",)), ("[]", ())],
)
def test_an_agents_models_are_one_or_several_in_order(written: str, models: tuple[str, ...]) -> None:
    text = GOOD.replace("kind: tool", "kind: agent").replace("effect: READ\n", "")

    assert parse_service_file(f"{text}uses:\n  model: {written}\n", FOLDER).uses_models == models


def test_a_service_can_ask_for_a_process_for_each_call() -> None:
    assert not parse_service_file(GOOD + "runtime: {mode: sync, reuse: false}\n", FOLDER).reuse
    assert parse_service_file(GOOD, FOLDER).reuse


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "hammer: 1\n", "service.yaml:7: hammer: is not a known key"),
        (GOOD + "runtime:\n  wokers: 1\n", "service.yaml:8: runtime.wokers: is not a known key"),
        (GOOD + "name: other\n", "service.yaml:7: name: is there twice"),
        (GOOD.replace("kind: tool", "kind: hammer"), "service.yaml:3: kind: must be one of"),
        (GOOD.replace("calculator\nkind", "Calculator\nkind"), "service.yaml:2: name: must be like"),
        (GOOD.replace("1.2.3", "1.2"), "service.yaml:4: version: must be a text like"),
        (GOOD.replace("tool:calculator", "tool"), "service.yaml:5: entrypoint: must be like"),
        (GOOD.replace("effect: READ\n", ""), "service.yaml:3: kind: a tool declares its effect"),
        (GOOD.replace("READ", "NONE"), "service.yaml:6: effect: must be one of READ, IDEMPOTENT, MUTATING"),
        (GOOD.replace("kind: tool", "kind: model"), "service.yaml:6: effect: is only for tools"),
        (GOOD + "uses: {tools: [x]}\n", "service.yaml:7: uses: is only for agents"),
        (GOOD + "uses:\n  tools: x\n", "service.yaml:8: uses.tools: must be a list of names"),
        (GOOD + "uses:\n  model: X\n", "service.yaml:8: uses.model: must be the name of a service"),
        (GOOD + "uses:\n  model: [a, X]\n", "service.yaml:8: uses.model: must be a list of names"),
        (GOOD + "uses:\n  model: [a, a]\n", "service.yaml:8: uses.model: names a model twice"),
        (GOOD + "env: {A: 1}\n", "service.yaml:7: env: must hold texts"),
        (GOOD + "env: [A]\n", "service.yaml:7: env: must hold texts"),
        (GOOD + 'env: {"A=B": "c"}\n', "service.yaml:7: env: must hold names that an environment can have"),
        (GOOD + 'env:\n  LANGSMITH_TRACING: "true"\n', "service.yaml:8: env.LANGSMITH_TRACING: cannot be set"),
        (GOOD + 'env:\n  LANGCHAIN_TRACING_V2: "true"\n', "service.yaml:8: env.LANGCHAIN_TRACING_V2: cannot be set"),
        (GOOD + "runtime: {workers: 0}\n", "runtime.workers: must be a whole number from 1 to 64"),
        (GOOD + "runtime: {workers: yes}\n", "runtime.workers: must be a whole number from 1 to 64"),
        (GOOD + "runtime: {spare: 17}\n", "runtime.spare: must be a whole number from 0 to 16"),
        (GOOD + "runtime: {queue: -1}\n", "runtime.queue: must be a whole number from 0"),
        (GOOD + "runtime: {mode: fast}\n", "runtime.mode: must be one of auto, sync, async"),
        (GOOD + "runtime: {mode: sync, reuse: 0}\n", "runtime.reuse: must be true or false"),
        (GOOD + "runtime: {reuse: false}\n", "runtime.reuse: can be false only with mode: sync"),
        (GOOD + "runtime: {memory: 1024}\n", "runtime.memory: must be a size like"),
        (GOOD + "runtime: {memory: 0MiB}\n", "runtime.memory: must be a size like"),
        (GOOD + "runtime: {start_timeout: 10}\n", "runtime.start_timeout: must be a duration like"),
        (GOOD + "limits: {tokens: {prompt: 0}}\n", "limits.tokens.prompt: must be a whole number from 1"),
        (GOOD + "limits: {tokens: {answer: 1.5}}\n", "limits.tokens.answer: must be a whole number from 1"),
        (GOOD + "limits:\n  tokens: {prompt: 9}\n", "service.yaml:8: limits.tokens: is only for models"),
        (GOOD + "limits:\n  tokens: 9\n", "service.yaml:8: limits.tokens: must hold keys and values"),
        (GOOD + "egress: example.org\n", "service.yaml:7: egress: must be a list of hosts"),
        (GOOD + "egress: [1]\n", "service.yaml:7: egress: must hold hosts, or {to: host, private: true}"),
        (GOOD + "egress: [{to: a, privat: true}]\n", "service.yaml:7: egress: must hold hosts, or {to"),
        (GOOD + "egress: [{to: a, private: 1}]\n", "service.yaml:7: egress: private must be true or false"),
        (GOOD + "egress: [a b]\n", 'egress: \'a b\' is not written like "example.org", "*.example.org" or'),
        (GOOD + "reads: [lib]\n", "service.yaml:7: reads: must be a list of absolute paths"),
        (GOOD + "reads: [/lib/]\n", "service.yaml:7: reads: must be a list of absolute paths"),
        (GOOD + "sandbox:\n  processes: 15\n", "service.yaml:8: sandbox.processes: must be a whole number from 16"),
        (GOOD + "sandbox:\n  scratch: 1\n", "service.yaml:8: sandbox.scratch: must be a size like"),
        (GOOD + "sandbox:\n  cpu: 1\n", "service.yaml:8: sandbox.cpu: is not a known key"),
        (GOOD + "sandbox: none\n", "service.yaml:7: sandbox: must hold keys and values"),
        (GOOD + "runtime: [1]\n", "service.yaml:7: runtime: must hold keys and values"),
        ("- a\n", "service.yaml:1: must hold keys and values"),
        ("", "service.yaml:1: must hold keys and values"),
        ("a: [\n", "service.yaml:2:"),
        ("name: !!python/object:os.system x\n", "service.yaml:1: name: is not a plain value"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, problem: str) -> None:
    assert any(problem in line for line in _problems(text)), _problems(text)


def test_everything_that_is_wrong_is_told_at_once_and_in_order() -> None:
    problems = _problems("kind: hammer\nversion: x\nentrypoint: y\nextra: 1\n")
    assert [line.split(": ")[1] for line in problems] == ["kind", "name", "version", "entrypoint", "extra"]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFileError, match=r"service\.yaml: cannot be read: FileNotFoundError"):
        read_service_file(tmp_path)
