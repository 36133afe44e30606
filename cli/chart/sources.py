"""The service.yaml files that values are made from, checked as the gateway checks them."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from cli.chart import names
from cli.chart.service import Described
from cli.chart.text import ChartError
from gateway.adapters.config_files import ConfigError, Loaded, load
from gateway.adapters.config_files.lines import Document, read
from gateway.adapters.config_files.models import build
from gateway.config import ServiceConfig


def configuration(config: Path) -> Loaded:
    """Raises ChartError with every problem, by file and line."""
    try:
        return load(config)
    except ConfigError as error:
        raise ChartError(f"the configuration is wrong; mend it first:\n{error}") from None


def every(loaded: Loaded) -> list[Described]:
    """The services of a configuration, in its order. Raises ChartError."""
    return [described(loaded.root / entry.path) for entry, _ in loaded.services]


def one(name: str, config: Path) -> Described:
    """The service in services/NAME beside `config`, whether that names it or not, or wherever it says. Raises ChartError."""
    folder = config.resolve().parent / "services"
    if name in (there := _folders(folder)):
        return described(folder / name)
    for service in every(configuration(config)):
        if service.name == name:
            return service
    raise ChartError(f"there is no services/{name}/service.yaml here; there are: {', '.join(there) or 'none'}")


def strangers(loaded: Loaded) -> list[str]:
    """Names of services that the umbrella chart beside the configuration does not know: Helm drops their values unsaid."""
    chart = loaded.root / "charts/firebreak/Chart.yaml"
    if not chart.is_file():
        return []
    dependencies = yaml.safe_load(chart.read_text()).get("dependencies") or []
    there = {each.get("alias", each["name"]) for each in dependencies}
    return [service.name for _, service in loaded.services if service.name not in there]


def known(config: Path) -> list[str]:
    """What `firebreak chart` can be asked for here."""
    return [names.GATEWAY, *_folders(config.resolve().parent / "services")]


def described(folder: Path) -> Described:
    """The service in `folder`. Raises ChartError where its service.yaml is wrong, or its name is none for a cluster."""
    document = read(folder / "service.yaml", os.path.relpath(folder / "service.yaml"))
    config = build(ServiceConfig, document)
    if config is None or document.problems:
        raise _wrong(document)
    if config.name != folder.resolve().name:
        message = f"is {config.name}, but the folder is {folder.resolve().name}; both are the same"
        document.problems.append(document.problem(("name",), message))
        raise _wrong(document)
    if why := names.why_not(config.name):
        raise ChartError(why)
    return Described(document.value, config)


def _wrong(document: Document) -> ChartError:
    problems = "\n".join(map(str, sorted(document.problems)))
    return ChartError(f"the service is described wrongly; mend it first:\n{problems}")


def _folders(folder: Path) -> list[str]:
    return sorted(file.parent.name for file in folder.glob("*/service.yaml"))
