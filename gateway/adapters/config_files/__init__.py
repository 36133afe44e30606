"""Reads firebreak.yaml and every service.yaml that it names; all that is wrong is told at once, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.config_files.checks import Service, across
from gateway.adapters.config_files.files import missing
from gateway.adapters.config_files.idle import without_effect
from gateway.adapters.config_files.lines import Document, Key, Problem, read
from gateway.adapters.config_files.models import build
from gateway.config import GatewayConfig, ServiceConfig, ServiceEntry

__all__ = ["ConfigError", "Loaded", "Problem", "load"]


class ConfigError(Exception):
    """The configuration is wrong: every one of `problems`, in the order of the files' lines."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(sorted(problems)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without errors. `root` is the folder that its relative paths are relative to."""

    config: GatewayConfig
    services: tuple[tuple[ServiceEntry, ServiceConfig], ...]
    root: Path
    document: Document

    def problem(self, key: Key, message: str) -> Problem:
        """A problem with the value at `key` of the main file, found after loading."""
        return self.document.problem(key, message)

    def missing_files(self) -> list[Problem]:
        """Every named file that is not there now; services and policy were looked at while loading."""
        return [self.problem(key, message) for key, message in missing(self.config, self.root)]


def load(path: Path) -> Loaded:
    """Reads the gateway's YAML file at `path`. Raises ConfigError with every problem in it and in its services' files."""
    document = read(path, str(path))
    config = build(GatewayConfig, document)
    if config is None:
        raise ConfigError(document.problems)
    root = path.resolve().parent
    shown = path.parent
    services = [_read_service(root, shown, index, entry) for index, entry in enumerate(config.services)]
    problems = [*document.problems, *(problem for service in services for problem in service.document.problems)]
    problems += across(document, config, services, root)
    problems += without_effect(document, config, services)
    if problems:
        raise ConfigError(problems)
    found = tuple((service.entry, service.config) for service in services if service.config is not None)
    return Loaded(config, found, root, document)


def _read_service(root: Path, shown: Path, index: int, entry: ServiceEntry) -> Service:
    """A missing file is a problem of the entry that names it, so `across` reports it."""
    folder = root / entry.path
    name = str(shown / entry.path / "service.yaml")
    if not (folder / "service.yaml").is_file():
        return Service(index, entry, Document(name), None)
    document = read(folder / "service.yaml", name)
    config = build(ServiceConfig, document)
    if config is not None and config.name != folder.resolve().name:
        message = f"is {config.name}, but the folder is {folder.resolve().name}; both are the same"
        document.problems.append(document.problem(("name",), message))
    return Service(index, entry, document, config)
