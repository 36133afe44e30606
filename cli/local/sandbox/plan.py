"""How one process of a service is started behind the walls that can be had: nothing is looked at here, only put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.local.sandbox.bubblewrap import OWN_NETWORK, Bubblewrap
from cli.local.sandbox.cgroups import Bounds
from cli.local.sandbox.claims import APART, BOUNDS, ENVIRONMENT, NETWORK, SOCKETS, Claims, NoWall, claims, reasons
from cli.local.sandbox.mounts import INSIDE, TMP, Place, files, near, readable
from cli.local.sandbox.walls import Walls
from gateway.config import ServiceConfig

SERVE = "serve.sock"
_SETTINGS = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  (the sandbox's own, or what multiprocessing must write to)
_ON_A_PORT = "it listens on a port: give it an `address` on a unix socket"


@dataclass(frozen=True)
class Plan:
    """`before` stands in front of the interpreter, `options` are the host's; `environment` is all that it inherits."""

    before: tuple[str, ...]
    options: tuple[str, ...]
    environment: Mapping[str, str]
    claims: Claims


def plan(config: ServiceConfig, place: Place, walls: Walls) -> Plan:
    """Raises NoWall where one is required and cannot be had."""
    missing = _missing(place, walls)
    if walls.mode == "required" and missing:
        raise NoWall(f"a wall that is required cannot be had. {reasons(missing)}")
    claimed = claims((*APART, *BOUNDS), missing)
    sections = _apart(walls.box, config, place, walls) if walls.box is not None else _beside(config, place, walls)
    before, addresses, environment = sections
    enclose = "none" if place.own is None else walls.mode
    promises = (word for name in claimed.promises for word in ("--promise", name))
    return Plan(before, (*addresses, "--enclose", enclose, *promises), environment, claimed)


def bounds(config: ServiceConfig) -> Bounds:
    return Bounds(config.memory, config.sandbox.cpus, config.sandbox.processes)


def _missing(place: Place, walls: Walls) -> dict[str, str]:
    bounds = dict(walls.cgroups.missing)
    if walls.box is None:
        kept = () if walls.mode == "none" else (ENVIRONMENT,)
        return {name: walls.why_not for name in APART if name not in kept} | bounds
    for name in walls.counted:
        bounds.pop(name, None)
    return ({NETWORK: _ON_A_PORT, SOCKETS: _ON_A_PORT} if place.own is None else {}) | bounds


_Sections = tuple[tuple[str, ...], tuple[str, ...], Mapping[str, str]]


def _apart(box: Bubblewrap, config: ServiceConfig, place: Place, walls: Walls) -> _Sections:
    """In a sandbox: it has its own names for everything but its code and its environment."""
    listen = place.listen if place.own is None else f"unix:{INSIDE}/own/{SERVE}"
    environment = {**_SETTINGS, "HOME": str(TMP)}
    before = (
        *(str(box.program), *box.options, *(() if place.own is None else (OWN_NETWORK,))),
        *("--hostname", config.name, "--clearenv"),
        *(word for name, value in environment.items() for word in ("--setenv", name, value)),
        *files(place, walls.machine, map(Path, config.reads), config.sandbox.scratch),
        *("--chdir", str(place.service), "--"),
    )
    options = (
        *("--listen", listen, "--gateway", f"unix:{INSIDE}/door/{place.door.name}"),
        *("--token-file", f"{INSIDE}/identity/{place.token.name}", "--secrets", f"{INSIDE}/secrets"),
        *(("--egress", f"unix:{INSIDE}/egress/egress.sock") if place.egress is not None else ()),
        *("--readable", "/", "--writable", str(TMP), "--writable", _SHARED_MEMORY),
    )
    return before, options, environment


def _beside(config: ServiceConfig, place: Place, walls: Walls) -> _Sections:
    """Without one: what the host encloses itself in is all that is around it."""
    home = str(place.home)
    listen = place.listen if place.own is None else f"unix:{near(place, place.own / SERVE)}"
    options = (
        *("--listen", listen, "--gateway", f"unix:{near(place, place.door)}"),
        *("--token-file", str(place.token), "--secrets", str(place.secrets)),
        *(("--egress", f"unix:{place.egress / 'egress.sock'}") if place.egress is not None else ()),
        *(_landlock(config, place) if walls.mode != "none" else ()),
    )
    return (), options, {**_SETTINGS, "HOME": home, "TMPDIR": home}


def _landlock(config: ServiceConfig, place: Place) -> Iterator[str]:
    for path in readable(place, map(Path, config.reads)):
        yield from ("--readable", str(path))
    for folder in (str(place.home), _SHARED_MEMORY):
        yield from ("--writable", folder)
