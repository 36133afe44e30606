"""Reads firebreak.yaml and every service.yaml that it names; all that is wrong is told at once, with file and line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.config_files.checks import Service, across
from gateway.adapters.config_files.files import missing
from gateway.adapters.config_files.idle import without_effect
from gateway.adapters.config_files.lines import Document, Key, Problem, read
from gateway.adapters.config_files.models import build
from gateway.adapters.config_files.routes import between, read_routes
from gateway.adapters.config_files.seen import Seen
from gateway.config import GatewayConfig, RouteConfig, ServiceConfig, ServiceEntry
from gateway.routed import RoutedService

__all__ = ["ConfigError", "Loaded", "Problem", "load"]


class ConfigError(Exception):
    """The configuration is wrong: every one of `problems`, in the order of the files' lines; `seen` are the files, if known."""

    def __init__(self, problems: list[Problem], seen: Seen | None = None) -> None:
        self.seen = seen or Seen()
        self.problems = tuple(dict.fromkeys(sorted(problems)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without errors.

    `path` is its main file as it was named, `root` the folder that its relative paths are relative to, `seen` are its files.
    """

    config: GatewayConfig
    services: tuple[tuple[ServiceEntry, ServiceConfig], ...]
    routes: tuple[tuple[RouteConfig, RoutedService], ...]
    path: Path
    root: Path
    document: Document
    seen: Seen

    @property
    def revision(self) -> str:
        """SHA-256 of what the files say, hexadecimal: comments and order of keys apart."""
        said = [self.config.model_dump_json(), *(config.model_dump_json() for _, config in self.services)]
        said += [service.revision for _, service in self.routes]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    def problem(self, key: Key, message: str) -> Problem:
        """A problem with the value at `key` of the main file, found after loading."""
        return self.document.problem(key, message)

    def missing_files(self) -> list[Problem]:
        """Every named file that is not there now; services and policy were looked at while loading."""
        return [self.problem(key, message) for key, message in missing(self.config, self.root)]


def load(path: Path) -> Loaded:
    """Reads the gateway's YAML file at `path`. Raises ConfigError with every problem in it and in its services' files."""
    seen = Seen()
    seen.note(path)
    document = read(path, str(path))
    config = build(GatewayConfig, document)
    if config is None:
        raise ConfigError(document.problems, seen)
    root = path.resolve().parent
    shown = path.parent
    for name in _named(config):
        seen.note(root / name)
    services = [_read_service(root, shown, index, entry) for index, entry in enumerate(config.services)]
    problems = [*document.problems, *(problem for service in services for problem in service.document.problems)]
    problems += across(document, config, services, root)
    routes = read_routes(document, config, root)
    problems += [problem for route in routes for problem in route.problems]
    problems += between(document, config, [service.config.name for service in services if service.config])
    problems += without_effect(document, config, services, routes)
    if problems:
        raise ConfigError(problems, seen)
    found = tuple((service.entry, service.config) for service in services if service.config is not None)
    routed = tuple((route.config, route.service) for route in routes if route.service is not None)
    return Loaded(config, found, routed, path.absolute(), root, document, seen)


def _named(config: GatewayConfig) -> list[str]:
    """The files that say what services and routes there are and how they are reached, beside the main one."""
    described = [route.descriptors for route in config.routes if route.descriptors is not None]
    tls = [name for entry in config.services if entry.tls is not None for name in entry.tls.files]
    return [*(f"{entry.path}/service.yaml" for entry in config.services), *described, *tls]


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
