"""The routed services of a configuration, with the descriptors that they name; what is wrong with them and between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.adapters.config_files.lines import Document, Key, Problem
from gateway.config import GatewayConfig, RouteConfig
from gateway.descriptors import Descriptors
from gateway.routed import RoutedService


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of `routes` and its methods; `service` is None where the entry is wrong, and `problems` say how."""

    index: int
    config: RouteConfig
    service: RoutedService | None
    problems: tuple[Problem, ...] = ()


def read_routes(document: Document, config: GatewayConfig, root: Path) -> list[Route]:
    """Reads the descriptors of every route; `root` is the main file's folder."""
    return [_read(document, root, index, route) for index, route in enumerate(config.routes)]


def between(document: Document, config: GatewayConfig, names: Sequence[str]) -> Iterator[Problem]:
    """Names, methods and addresses of routes that are another's too; `names` are those of the services."""
    owners: dict[str, str] = dict.fromkeys(names, "a service")
    for index, route in enumerate(config.routes):
        if route.name in owners:
            yield document.problem(("routes", index, "name"), f"{route.name} is that of {owners[route.name]} too")
        owners.setdefault(route.name, f"routes[{index}]")
    yield from _claimed_twice(document, config)
    yield from _shared_addresses(document, config)


def _read(document: Document, root: Path, index: int, config: RouteConfig) -> Route:
    if config.descriptors is None:
        return Route(index, config, RoutedService(config))
    key: Key = ("routes", index, "descriptors")
    try:
        descriptors = Descriptors((root / config.descriptors).read_bytes())
    except OSError as error:
        message = f"{config.descriptors} cannot be read: {error.strerror}"
        return Route(index, config, None, (document.problem(key, message),))
    except ValueError as error:
        return Route(index, config, None, (document.problem(key, f"{config.descriptors} {error}"),))
    problems = tuple(_undescribed(document, index, config, descriptors))
    return Route(index, config, None if problems else RoutedService(config, descriptors), problems)


def _undescribed(document: Document, index: int, config: RouteConfig, descriptors: Descriptors) -> Iterator[Problem]:
    for number, pattern in enumerate(config.methods):
        try:
            descriptors.shapes(pattern)
        except ValueError as error:
            yield document.problem(("routes", index, "methods", number), f"{config.descriptors} {error}")


def _claimed_twice(document: Document, config: GatewayConfig) -> Iterator[Problem]:
    """A method leads to one place. A whole service's claim takes in each of its methods."""
    claims = [(index, n, each) for index, route in enumerate(config.routes) for n, each in enumerate(route.methods)]
    for position, (index, number, pattern) in enumerate(claims):
        for earlier, _, other in claims[:position]:
            if _overlap(pattern, other):
                key: Key = ("routes", index, "methods", number)
                yield document.problem(key, f"{pattern} is claimed by {other} in routes[{earlier}] already")
                break


def _overlap(one: str, other: str) -> bool:
    service, _, method = one.partition("/")
    other_service, _, other_method = other.partition("/")
    return service == other_service and (method == other_method or "*" in (method, other_method))


def _shared_addresses(document: Document, config: GatewayConfig) -> Iterator[Problem]:
    """Routes may share an address, with other methods and limits each; nobody else's is a route's too."""
    taken: Mapping[str, str] = {
        config.admin: "admin",
        **{listener.address: f"listener {listener.name}" for listener in config.listeners},
        **{entry.address: f"service {entry.path}" for entry in config.services},
    }
    for index, route in enumerate(config.routes):
        if route.address in taken:
            key: Key = ("routes", index, "address")
            yield document.problem(key, f"{route.address} is the address of {taken[route.address]} too")
