"""The configuration and the policy that a new service is added to, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.chart import names
from cli.chart.files import FOLDER
from cli.scaffold.files import Wanted
from cli.scaffold.names import NewKind, why_no_version, why_not
from gateway.adapters.config_files import ConfigError, Loaded, load
from gateway.routes import Kind

AGENTS = "agent"
"""The role of services that call others: a new agent gets it, and with it what agents may call."""


class Refused(Exception):
    """Nothing was made; the text says why and what to do."""


@dataclass(frozen=True)
class Project:
    """A configuration without errors, the files of its policy's data, and the folder that services are in."""

    config: Path
    loaded: Loaded
    grants: Path
    roles: Path

    @classmethod
    def at(cls, config: Path) -> Project:
        """Raises Refused where there is no sound configuration, or not what makes environments."""
        try:
            loaded = load(config)
        except ConfigError as error:
            raise Refused(f"the configuration is wrong as it is; mend it first:\n{error}") from None
        if not (loaded.root / "scripts" / "setup.py").is_file():
            raise Refused(f"there is no scripts/setup.py in {loaded.root}: use it in the folder of the repository")
        data = loaded.root / loaded.config.policy.path / "data"
        return cls(config.resolve(), loaded, data / "grants.yaml", data / "roles.yaml")

    @property
    def root(self) -> Path:
        return self.loaded.root

    def shown(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def values(self, name: str) -> Path:
        """The file of the service's values for Kubernetes."""
        return self.root / FOLDER / f"{name}.yaml"

    def services(self, kind: Kind) -> list[str]:
        """Names of the configured services of this kind, in the order of the configuration."""
        return [service.name for _, service in self.loaded.services if service.kind is kind]

    def read(self, file: Path, key: str) -> dict[str, Any]:
        """What a file of the policy's data holds under `key`; raises Refused where it cannot be had."""
        try:
            value = yaml.safe_load(file.read_text())[key]
        except OSError as error:
            problem = f"{self.shown(file)} cannot be read ({error.strerror}); a new service gets its grant there"
            raise Refused(problem) from None
        except (yaml.YAMLError, KeyError, TypeError):
            raise Refused(f"{self.shown(file)} is wrong as it is: it must hold {key}") from None
        if not isinstance(value, dict):
            raise Refused(f"{self.shown(file)} is wrong as it is: {key} must be a mapping")
        return value

    def may_call(self, target: str) -> bool:
        """Whether a grant lets agents call `target`."""
        grants = self.read(self.grants, "grants").get(target, {})
        return any(AGENTS in grant.get("roles", ()) and "call" in grant.get("actions", ()) for grant in grants.values())


def check(project: Project, wanted: Wanted) -> None:
    """Raises Refused with everything that speaks against making this service."""
    if problems := list(_problems(project, wanted)):
        raise Refused("\n".join(problems))


def _problems(project: Project, wanted: Wanted) -> Iterator[str]:
    if wrong := why_not(wanted.name) or names.why_not(wanted.name):
        yield wrong
        return
    if wanted.langchain is not None and (wrong := why_no_version(wanted.langchain)):
        yield wrong
    yield from _taken(project, wanted)
    roles = project.read(project.roles, "roles")
    for role in wanted.roles:
        if role not in roles:
            yield f"there is no role {role} in {project.shown(project.roles)}; there are: {', '.join(roles)}"
    if wanted.kind is NewKind.AGENT:
        yield from _unusable(project, wanted)


def _taken(project: Project, wanted: Wanted) -> Iterator[str]:
    name, config = wanted.name, project.loaded.config
    if (project.root / wanted.folder).exists():
        yield f"there is a folder {wanted.folder} already; take another name, or delete the folder first"
    if project.values(name).exists():
        yield f"there is a {project.shown(project.values(name))} already; take another name, or delete the file first"
    there = {service.name for _, service in project.loaded.services} | {route.name for route in config.routes}
    if name in there:
        yield f"{project.shown(project.config)} has a {name} already; take another name"
    if name in project.read(project.grants, "grants"):
        yield (
            f"{project.shown(project.grants)} has grants of {name} already, and what they allow a new service should not "
            "inherit; take another name, or delete them first"
        )


def _unusable(project: Project, wanted: Wanted) -> Iterator[str]:
    for kind, used in ((Kind.TOOL, wanted.tools), (Kind.MODEL, (wanted.model,))):
        there = project.services(kind)
        for name in used:
            if name not in there:
                yield f"there is no {kind.value} {name!r} in the configuration; there are: {', '.join(there) or 'none'}"
