"""What no single file can get right alone: names, addresses, folders and uses across all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.adapters.config_files.lines import Document, Key, Problem
from gateway.config import PROBE, STRANGER, GatewayConfig, ServiceConfig, ServiceEntry
from gateway.routes import Kind
from gateway.targets import UNIX_BYTES

_OWN = PROBE.partition(":")[0] + ":"
"""How the principals of probes begin: whoever could become one might do what only they may."""

RESERVED = frozenset({"addresses", "egress", "gateway"})
"""What else the launcher keeps where it keeps something for each service."""

_STRANGER = STRANGER.removeprefix(_OWN)

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of `services`, the file behind it, and what was read from it."""

    index: int
    entry: ServiceEntry
    document: Document
    config: ServiceConfig | None


def across(document: Document, config: GatewayConfig, services: Sequence[Service], root: Path) -> Iterator[Problem]:
    """Problems that show only when the whole configuration is seen. `root` is the main file's folder."""
    yield from _folders(document, config, root)
    yield from _addresses(document, config)
    yield from _repeated(document, config, services)
    yield from _uses(services)
    yield from _impostors(document, config)
    yield from _probes(services)
    yield from _reserved(document, services)


def _folders(document: Document, config: GatewayConfig, root: Path) -> Iterator[Problem]:
    for index, entry in enumerate(config.services):
        if not (root / entry.path / "service.yaml").is_file():
            yield document.problem(("services", index, "path"), f"there is no {entry.path}/service.yaml")
    if not (root / config.policy.path).is_dir():
        yield document.problem(("policy", "path"), f"there is no folder {config.policy.path}")


def _addresses(document: Document, config: GatewayConfig) -> Iterator[Problem]:
    """Every address is one that can be bound or reached."""
    keys: list[tuple[Key, str]] = [(("listeners", i, "address"), it.address) for i, it in enumerate(config.listeners)]
    keys += [(("services", i, "address"), _named(it.address)) for i, it in enumerate(config.services)]
    keys += [(("routes", i, "address"), it.address) for i, it in enumerate(config.routes)]
    for key, address in keys:
        if problem := _wrong_address(address):
            yield document.problem(key, problem)
    if config.admin.startswith("unix:") or _wrong_address(config.admin):
        yield document.problem(("admin",), 'is not written "host:port"')


def _named(address: str) -> str:
    """The "host:port" of a service's "dns:///host:port", whose name grpc looks up for all of its addresses."""
    name = address.removeprefix("dns:///")
    return address if name.startswith("unix:") else name


def _wrong_address(address: str) -> str:
    if address.startswith("unix:"):
        size = len(address.removeprefix("unix:").encode())
        return "" if 0 < size <= UNIX_BYTES else f"has a socket path that is empty or longer than {UNIX_BYTES} bytes"
    match = _ADDRESS.fullmatch(address)
    return "" if match and int(match[1]) <= 65535 else 'is not written "host:port" or "unix:path"'


def _repeated(document: Document, config: GatewayConfig, services: Sequence[Service]) -> Iterator[Problem]:
    """Names, addresses and identities belong to one only: two of them would answer for each other."""
    names = [service.config.name if service.config else None for service in services]
    yield from _twice(document, ("services",), "path", names)
    yield from _twice(document, ("services",), "identity", [entry.identity for entry in config.services])
    yield from _twice(document, ("listeners",), "name", [listener.name for listener in config.listeners])
    yield from _twice(document, ("identity", "issuers"), "name", [issuer.name for issuer in config.identity.issuers])
    yield from _twice(
        document, ("identity", "issuers"), "issuer", [issuer.issuer for issuer in config.identity.issuers]
    )
    yield from _shared_addresses(document, config)


def _twice(document: Document, where: Key, field: str, values: Sequence[str | None]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value is None:
            continue
        if value in first:
            yield document.problem((*where, index, field), f"{value} is that of {where[-1]}[{first[value]}] too")
        first.setdefault(value, index)


def _shared_addresses(document: Document, config: GatewayConfig) -> Iterator[Problem]:
    keys: list[tuple[Key, str]] = [(("admin",), config.admin)]
    keys += [(("listeners", index, "address"), entry.address) for index, entry in enumerate(config.listeners)]
    keys += [(("services", index, "address"), entry.address) for index, entry in enumerate(config.services)]
    first: dict[str, Key] = {}
    for key, address in keys:
        if address in first and not address.endswith(":0"):  # port 0 is a free one, a new one each time
            yield document.problem(key, f"{address} is used on line {document.line(first[address])} too")
        first.setdefault(address, key)


def _uses(services: Sequence[Service]) -> Iterator[Problem]:
    """An agent's tools and model are configured services of the right kind."""
    kinds = {service.config.name: service.config.kind for service in services if service.config}
    # While a service's file has errors of its own, it may be the one that is named.
    complete = all(service.config for service in services)
    for service in services:
        for key, name, kind in _used(service.config):
            where = key if key in service.document.lines else key[:-1]  # one model is written without a list
            if name in kinds and kinds[name] is not kind:
                yield service.document.problem(where, f"{name} is a {kinds[name].value}, not a {kind.value}")
            elif name not in kinds and complete:
                yield service.document.problem(where, f"there is no service {name} in the gateway's file")


def _used(config: ServiceConfig | None) -> Iterator[tuple[Key, str, Kind]]:
    if config is None:
        return
    for index, name in enumerate(config.uses.tools):
        yield ("uses", "tools", index), name, Kind.TOOL
    for index, name in enumerate(config.uses.model):
        yield ("uses", "model", index), name, Kind.MODEL


def _impostors(document: Document, config: GatewayConfig) -> Iterator[Problem]:
    """Nobody who calls is one of the gateway's own principals, or could be made one."""
    for index, issuer in enumerate(config.identity.issuers):
        if issuer.prefix and (issuer.prefix.startswith(_OWN) or _OWN.startswith(issuer.prefix)):
            message = f"could make principals that begin with {_OWN}, which are the gateway's own; take another prefix"
            yield document.problem(("identity", "issuers", index, "prefix"), message)
    for index, entry in enumerate(config.services):
        if entry.identity.startswith(_OWN):
            message = f"begins with {_OWN}, as only the gateway's own principals do; take another one"
            yield document.problem(("services", index, "identity"), message)


def _probes(services: Sequence[Service]) -> Iterator[Problem]:
    """Probes that the gateway cannot make."""
    for service in services:
        probes = service.config.probes if service.config else None
        for kind, declared in (("allow", probes.allow), ("deny", probes.deny)) if probes else ():
            for index, probe in enumerate(declared):
                key: Key = ("probes", kind, index)
                if kind == "deny" and probe.name == _STRANGER:
                    yield service.document.problem((*key, "name"), f"{_STRANGER} is the probe that every service has")
                if probe.args is not None and not _is_json(probe.args):
                    yield service.document.problem((*key, "args"), "is not what JSON can carry")


def _is_json(value: object) -> bool:
    try:
        orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:
        return False
    return True


def _reserved(document: Document, services: Sequence[Service]) -> Iterator[Problem]:
    """Names that would make a service's files in the launcher's folders those of something else."""
    for service in services:
        if service.config is not None and service.config.name in RESERVED:
            message = f"{service.config.name} is a name that Firebreak needs itself; rename the folder and its service"
            yield document.problem(("services", service.index, "path"), message)
