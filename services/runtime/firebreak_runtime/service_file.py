"""service.yaml as the runtime reads it. Keys that concern the gateway alone are left to the gateway."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from firebreak_runtime.errors import LoadError
from firebreak_runtime.yaml_lines import Sections

KINDS = ("agent", "tool", "model", "retriever", "embedding")
EFFECTS = ("READ", "IDEMPOTENT", "MUTATING")
MODES = ("auto", "sync", "async")
_GATEWAYS_OWN = ("limits", "breaker", "retry", "journal", "python", "probes", "sandbox.memory", "sandbox.cpus")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_NAME = r"[a-z][a-z0-9-]{0,62}"
_HOST = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
_EGRESS = re.compile(rf"(?:https?://)?(?:\*\.)?{_HOST}(?::(\d{{1,5}}))?", re.ASCII)
_NOTHING: tuple[tuple[str, str], ...] = ()
_TRACING = re.compile(r"(LANGSMITH|LANGCHAIN)_.*TRACING.*")


class ServiceFileError(LoadError):
    """service.yaml is wrong; the text has one line for each problem."""


@dataclass(frozen=True)
class ServiceFile:
    """One service. `folder` holds service.yaml and the entrypoint's module.

    `effect` is one of EFFECTS for a tool, else None. `uses_models` are in the order in which they are asked. `workers` is how
    many processes serve calls at once, `spare` how many more are kept warm, `queue` how many calls wait for one,
    `calls_per_worker` counts in mode "async". Without `reuse` every call gets a process of its own, which ends with it.
    `memory` is in bytes, `start_timeout` in seconds. `prompt_tokens` and `answer_tokens` bound a model's prompts and answers.
    `store` are namespaces of the agent's store that a tool may use, None where nothing is said. `egress` are the hosts that it
    may reach through the egress proxy, as they are written; `reads` paths of this machine that it may read. `processes` bounds
    host, zygote, workers and their threads; `scratch`, in bytes, each folder that can be written to.
    """

    folder: Path
    name: str
    kind: str
    version: str
    entrypoint: str
    effect: str | None = None
    uses_tools: tuple[str, ...] = ()
    uses_models: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    mode: Literal["auto", "sync", "async"] = "auto"
    workers: int = 2
    spare: int = 1
    queue: int = 64
    calls_per_worker: int = 100
    reuse: bool = True
    memory: int = 1024**3
    start_timeout: float = 90.0
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    store: tuple[str, ...] | None = None
    egress: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    processes: int = 256
    scratch: int = 64 * 1024**2

    @property
    def processes_of_workers(self) -> int:
        """The number of all processes from which on only the host gets more: a quarter, 32 at most, is left to it. A host that
        gets no thread any more answers nobody, and could not end what took them all."""
        return self.processes - min(self.processes // 4, 32)


def read_service_file(folder: Path) -> ServiceFile:
    """The service in `folder`. Raises ServiceFileError that names file, line and key of everything that is wrong."""
    path = folder / "service.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceFileError(f"{path}: cannot be read: {type(error).__name__}") from None
    return parse_service_file(text, folder, str(path))


def parse_service_file(text: str, folder: Path, file: str = "service.yaml") -> ServiceFile:
    """As `read_service_file`, from `text`."""
    keys = Sections(text, file)
    if keys.problems:
        raise ServiceFileError("\n".join(keys.problems))
    values = {**_identity(keys), **_runtime(keys), **_tokens(keys), **_walls(keys)}
    for key in _GATEWAYS_OWN:
        keys.ignore(key)
    _check_kind(keys, values)
    _check_mode(keys, values)
    problems = keys.finish()
    if problems:
        raise ServiceFileError("\n".join(problems))
    return ServiceFile(folder=folder, **values)


def _identity(keys: Sections) -> dict[str, Any]:
    return {
        "name": keys.get("name", _pattern(_NAME, 'must be like "my-tool": small letters, digits and dashes')),
        "kind": keys.get("kind", _one_of(KINDS)),
        "version": keys.get("version", _pattern(r"\d+\.\d+\.\d+", 'must be a text like "1.0.0"')),
        "entrypoint": keys.get("entrypoint", _pattern(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", 'must be like "module:object"')),
        "effect": keys.get("effect", _one_of(EFFECTS), cast(str, None)),
        "uses_tools": keys.get("uses.tools", _names, ()),
        "uses_models": keys.get("uses.model", _models, ()),
        "env": _env(keys),
        "store": keys.get("store", _namespaces, cast("tuple[str, ...]", None)),
    }


def _runtime(keys: Sections) -> dict[str, Any]:
    return {
        "mode": keys.get("runtime.mode", _one_of(MODES), "auto"),
        "workers": keys.get("runtime.workers", _between(1, 64), 2),
        "spare": keys.get("runtime.spare", _between(0, 16), 1),
        "queue": keys.get("runtime.queue", _between(0, None), 64),
        "calls_per_worker": keys.get("runtime.calls_per_worker", _between(1, None), 100),
        "reuse": keys.get("runtime.reuse", _boolean, True),
        "memory": keys.get("runtime.memory", _size, 1024**3),
        "start_timeout": keys.get("runtime.start_timeout", _duration, 90.0),
    }


def _tokens(keys: Sections) -> dict[str, Any]:
    """Of limits only what the gateway cannot see to: it knows no model's tokenizer."""
    return {
        "prompt_tokens": keys.get("limits.tokens.prompt", _between(1, None), cast(int, None)),
        "answer_tokens": keys.get("limits.tokens.answer", _between(1, None), cast(int, None)),
    }


def _walls(keys: Sections) -> dict[str, Any]:
    return {
        "egress": keys.get("egress", _hosts, ()),
        "reads": keys.get("reads", _paths, ()),
        "processes": keys.get("sandbox.processes", _between(16, 1_000_000), 256),
        "scratch": keys.get("sandbox.scratch", _size, 64 * 1024**2),
    }


def _check_mode(keys: Sections, values: dict[str, Any]) -> None:
    if not values["reuse"] and values["mode"] != "sync":
        keys.fail("runtime.reuse", "can be false only with mode: sync, where a worker serves one call at a time")


def _check_kind(keys: Sections, values: dict[str, Any]) -> None:
    kind = values["kind"]
    if kind == "tool" and values["effect"] is None and not any(": effect: " in line for line in keys.problems):
        keys.fail("kind", "a tool declares its effect: READ, IDEMPOTENT or MUTATING")
    if kind is not None and kind != "tool" and values["effect"] is not None:
        keys.fail("effect", "is only for tools")
    if kind is not None and kind != "tool" and values["store"] is not None:
        keys.fail("store", "is only for tools")
    if kind is not None and kind != "agent" and (values["uses_tools"] or values["uses_models"]):
        keys.fail("uses", "is only for agents")
    if kind is not None and kind != "model" and (values["prompt_tokens"] or values["answer_tokens"]):
        keys.fail("limits.tokens", "is only for models")


def _env(keys: Sections) -> tuple[tuple[str, str], ...]:
    env = keys.get("env", _settings, _NOTHING) or _NOTHING
    keys.ignore("env")
    for name, _ in env:
        if _TRACING.fullmatch(name):
            keys.fail(f"env.{name}", "cannot be set: it starts a thread in the process that workers are forked from")
    return env


def _settings(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise ValueError('must hold texts: write NAME: "value"')
    if any("\0" in part or (not name or "=" in name) for name, text in value.items() for part in (name, text)):
        raise ValueError("must hold names that an environment can have")
    return tuple(value.items())


def _pattern(pattern: str, wrong: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
            raise ValueError(wrong)
        return value

    return parse


def _one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError("must be one of " + ", ".join(words))
        return cast(str, value)

    return parse


def _between(least: int, most: int | None) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value
        if not fits or (most is not None and value > most):
            raise ValueError(f"must be a whole number from {least}" + (f" to {most}" if most is not None else ""))
        return cast(int, value)

    return parse


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(n, str) and re.fullmatch(_NAME, n) for n in value):
        raise ValueError("must be a list of names of services")
    return tuple(value)


def _models(value: Any) -> tuple[str, ...]:
    """One name, or several in order."""
    if isinstance(value, str):
        return (_pattern(_NAME, "must be the name of a service")(value),)
    names = _names(value)
    if len(set(names)) < len(names):
        raise ValueError("names a model twice")
    return names


def _namespaces(value: Any) -> tuple[str, ...]:
    """Labels joined by dots; no label is empty or holds a dot, as in LangGraph's own stores."""
    fits = isinstance(value, list) and value and all(isinstance(n, str) and all(n.split(".")) for n in value)
    if not fits:
        raise ValueError('must be a list of namespaces of the agent\'s store, like ["memories", "users.ann"]')
    return tuple(value)


def _hosts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('must be a list of hosts, like ["example.org"]')
    return tuple(map(_host, value))


def _host(value: Any) -> str:
    """A text, or {to: text, private: bool}; whether a host may be private is for the egress proxy to judge."""
    short = {"to": value} if isinstance(value, str) else value
    if not isinstance(short, dict) or not {"to"} <= set(short) <= {"to", "private"} or not isinstance(short["to"], str):
        raise ValueError("must hold hosts, or {to: host, private: true}")
    if not isinstance(short.get("private", False), bool):
        raise ValueError("private must be true or false")
    match = _EGRESS.fullmatch(short["to"])
    if match is None or not 0 < int(match[1] or 1) < 65536:
        wrong = 'is not written like "example.org", "*.example.org" or "https://example.org:8443"'
        raise ValueError(f"{short['to'][:64]!r} {wrong}")
    to: str = short["to"]
    return to


def _paths(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(p, str) and re.fullmatch(r"/.*[^/]", p) for p in value):
        raise ValueError('must be a list of absolute paths, like ["/var/lib/shop"]')
    return tuple(value)


def _duration(value: Any) -> float:
    return _measure(value, r"(\d+(?:\.\d+)?)(ms|s|m|h)", _SECONDS, 'must be a duration like "250ms", "10s" or "2m"')


def _size(value: Any) -> int:
    return int(_measure(value, r"(\d+)(B|KiB|MiB|GiB)", _BYTES, 'must be a size like "512MiB" or "1GiB"'))


def _measure(value: Any, pattern: str, units: dict[str, Any], wrong: str) -> float:
    match = re.fullmatch(pattern, value, re.ASCII) if isinstance(value, str) else None
    if match is None or float(match[1]) <= 0:
        raise ValueError(wrong)
    return float(match[1]) * float(units[match[2]])
