"""Values of charts/service, from one service.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from cli.chart import quantities
from cli.chart.image import Image
from cli.chart.text import ChartError, Section, own
from gateway.config import Egress, ServiceConfig

LOGS = 64 * 1024**2
"""Bytes of a node's disk for what a container writes there nothing but its log can be written there."""

DERIVED = frozenset({"service", "image", "resources", "egress", "egressAnywhere", "egressProxy", "secret"})

_SERVICE = """\
Made by `firebreak chart {name}` from its service.yaml: edit that, not this, and make it again; what you set
below stays. `firebreak chart {name} --check` says whether this is as it would be made now."""
_IMAGE = "EDIT: where you keep the image. The tag is the service's version unless you set another."
_RESOURCES = "Follow from runtime and sandbox of service.yaml. The scratch is memory, too."
_NO_EGRESS = "It declares none: it reaches the gateway and nothing else."
_EGRESS = """\
EDIT: a NetworkPolicy knows addresses, not names. Give each host the `cidrs` it is at, or set egressAnywhere below; until
then the chart does not render. The egress proxy beside the service keeps to the names of its service.yaml in any case."""
_PRIVATE = "\nPrivate, so by `cidrs` only: {hosts}."
_ANYWHERE = """\
EDIT: true opens the ports of hosts without `cidrs` to every public address, never to private, loopback or link-local ones."""
_PROXY = "EDIT: the gateway's image, which holds the egress proxy. Its tag is the chart's unless you set another."
_SECRET = "EDIT: name of an existing Secret whose keys the service finds as files; never a secret itself."


@dataclass(frozen=True)
class Described:
    """A service.yaml without errors: as it says, and as it is understood."""

    said: Mapping[str, Any]
    config: ServiceConfig

    @property
    def name(self) -> str:
        return self.config.name


def sections(service: Described, image: Image, kept: Mapping[str, Any]) -> list[Section]:
    """The values file of one service, with the choices of the one that is there, `kept`. Raises ChartError."""
    return [
        Section("service", dict(service.said), _SERVICE.format(name=service.name)),
        Section("image", _image(service, image, kept), _IMAGE),
        Section("resources", {**mapping(kept, "resources"), **_resources(service.config)}, _RESOURCES),
        *_egress(service.config, image, kept),
        Section("secret", kept.get("secret", ""), _SECRET),
        *own(kept, DERIVED),
    ]


def _image(service: Described, image: Image, kept: Mapping[str, Any]) -> dict[str, Any]:
    usual = {"repository": f"ghcr.io/example/firebreak-{service.name}", "tag": service.config.version}
    there = dict(mapping(kept, "image"))
    # A tag that is the version that the file was made for follows the version.
    if there.get("tag") == mapping(kept, "service").get("version"):
        there.pop("tag", None)
    return image.of(service.name, usual, there)


def _resources(config: ServiceConfig) -> dict[str, Any]:
    scratch = config.sandbox.scratch
    return {
        "memory": quantities.memory(config.memory + scratch),
        "cpu": quantities.cpu(config.sandbox.cpus),
        "processes": config.sandbox.processes,
        "ephemeralStorage": quantities.memory(LOGS),
        "scratch": quantities.memory(scratch),
    }


def _egress(config: ServiceConfig, image: Image, kept: Mapping[str, Any]) -> list[Section]:
    if not config.egress:
        return [Section("egress", [], _NO_EGRESS)]
    chosen = _chosen(kept)
    entries = {_place(each): {**_entry(each), **chosen.get(_place(each), {})} for each in config.egress}
    private = sorted({each.host for each in config.egress if each.private})
    comment = _EGRESS + (_PRIVATE.format(hosts=", ".join(private)) if private else "")
    anywhere = Section("egressAnywhere", kept.get("egressAnywhere", False), _ANYWHERE)
    return [Section("egress", list(entries.values()), comment), anywhere, _proxy(image, kept)]


def _proxy(image: Image, kept: Mapping[str, Any]) -> Section:
    there = mapping(kept, "egressProxy")
    usual = {"repository": "ghcr.io/example/firebreak-gateway"}
    return Section("egressProxy", {**there, "image": image.of_gateway(usual, mapping(there, "image"))}, _PROXY)


def _place(egress: Egress) -> tuple[str, int]:
    return f"{'*.' if egress.below else ''}{egress.host}", egress.port


def _entry(egress: Egress) -> dict[str, Any]:
    host, port = _place(egress)
    return {"host": host, "port": port, "cidrs": [f"{host}/32"] if _is_address(host) else []}


def _is_address(host: str) -> bool:
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def _chosen(kept: Mapping[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """The `cidrs` that somebody has set, by host and port."""
    try:
        return {(each["host"], each["port"]): {"cidrs": each["cidrs"]} for each in kept.get("egress") or []}
    except (KeyError, TypeError):
        raise ChartError("egress must be a list of host, port and cidrs; mend it, or delete it") from None


def mapping(kept: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What a values file holds under `key`; raises ChartError where that is no mapping."""
    value = kept.get(key) or {}
    if not isinstance(value, dict):
        raise ChartError(f"{key} must be a mapping; mend it, or delete it")
    return value
