"""Faults 19 to 22: a tool that tries to get out by every way there is. Whatever it reaches is a leak, named one by one."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from cli.gameday import out_of_reach
from cli.gameday.fault import Answer, Fault, NotRun, Seen, Setting
from cli.gameday.guests import guest
from cli.gameday.instance import PrivateInstance, free_port
from cli.gameday.out_of_reach import PRISONER, Around
from cli.gameday.scene import Scene

VISITOR = "visitor"
REFUSED, ABSENT, REACHED = "refused", "not there", "reached"
DOOR = "the door"
NOTHING = {"group": "nothing", "around": {}}
TIMEOUT = 5.0
PAUSE = 0.1
"""Seconds between two groups, as between two causings: it is no flood of calls that neighbours are to withstand here."""


@dataclass(frozen=True)
class Attempt:
    """What was tried, what became of it, and how that showed."""

    what: str
    outcome: str
    how: str


def problems(group: str, attempts: Iterable[Attempt], ways: Mapping[str, str] | None = None) -> list[str]:
    """Everything that was reached. `ways` are what must be reached, each with a text that shows it: a test in which these fail
    would find all refused, and prove nothing."""
    tried = list(attempts)
    wanted = dict(ways or {})
    found = [f"{group}: nothing was tried"] if not [one for one in tried if one.what not in wanted] else []
    for one in tried:
        shown = wanted.pop(one.what, None)
        if shown is not None and not (one.outcome == REACHED and shown in one.how):
            found.append(f"{group}: {one.what} is open, and was not reached: {one.outcome}, {one.how}")
        elif shown is None and one.outcome not in (REFUSED, ABSENT):
            found.append(f"{group}: {one.what}: {one.outcome} ({one.how})")
    return found + [f"{group}: {what} was not tried" for what in wanted]


class Break:
    """One try of everything in some groups: what came of it so far."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._before = {name: scene.instance.run_file(name) for name in (PRISONER, VISITOR)}
        self.answers: list[Answer] = []
        self.tried: list[Attempt] = []
        self.problems: list[str] = []

    async def out(
        self, group: str, around: Around, service: str = PRISONER, ways: Mapping[str, str] | None = None
    ) -> None:
        """Lets the service try a group. `ways` as in `problems`."""
        if self.answers:
            await asyncio.sleep(PAUSE)
        answer = await self._scene.call(service, {"group": group, "around": around}, timeout=TIMEOUT)
        self.answers.append(answer)
        if answer.code != "OK":
            return
        tried = [Attempt(**one) for one in json.loads(answer.text)]
        self.tried += tried
        self.problems += problems(f"{service}, {group}", tried, ways)

    async def seen(self) -> Seen:
        """Its processes must be the same, and answer."""
        back = await self._scene.healthy(PRISONER, NOTHING)
        for name, before in self._before.items():
            now = self._scene.instance.run_file(name)
            if [now.get(key) for key in ("pid", "restarts")] != [before.get(key) for key in ("pid", "restarts")]:
                self.problems.append(f"{name}: its host is another process")
        refused = sum(one.outcome == REFUSED for one in self.tried)
        absent = sum(one.outcome == ABSENT for one in self.tried)
        figures = {"attempts": float(len(self.tried)), "refused": float(refused), "not_there": float(absent)}
        note = f"{len(self.tried)} attempts: {refused} refused, {absent} not there"
        return Seen(tuple(self.answers), back, (note,), figures, tuple(self.problems))


async def demand(scene: Scene, promises: Iterable[str], *services: str) -> None:
    """Raises NotRun where a wall is not claimed to be here, with the reason that whoever would build it gives. Asked before the
    first call of a row: the gateway that answers is the one whose calls are measured."""
    if scene.answers:
        return
    report = await asyncio.to_thread(scene.instance.status)
    for row in (row for row in report["services"] if row["name"] in services):
        unproven = {one["name"]: one["detail"] for one in _unproven(row)}
        missing = scene.instance.run_file(row["name"]).get("sandbox", {}).get("missing", {})
        for promise in promises:
            why = missing.get(promise) or unproven.get(promise)
            if why and not scene.promised(row["name"], promise):
                raise NotRun(f"the promise `{promise}` is not in force here: {why}")


def _unproven(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """What nobody claims, by the proof in a service's row of /status."""
    return [one for one in (row["proof"] or {}).get("promises", ()) if one["verdict"] == "not_in_force"]


async def network(scene: Scene) -> Seen:
    """From a service that has no way out, and from one that has the proxy: past it, and by it to what is not on its list."""
    await demand(scene, ("network", "syscalls"), PRISONER, VISITOR)
    tries, around = Break(scene), out_of_reach.network(scene.instance)
    await tries.out("network", around)
    await tries.out("network", around, VISITOR)
    async with _listed(scene.instance) as url:
        asked = {
            "hosts": _hosts(scene.instance),
            "urls": [url, "http://example.org/", "http://169.254.169.254/latest/"],
        }
        await tries.out("proxy", asked, VISITOR, ways={f"GET {url}": "200"})
    return await tries.seen()


def _hosts(instance: PrivateInstance) -> list[str]:
    """None of them is on the visitor's list; nothing is looked up for those."""
    gateway = [
        f"{host}:{instance.ports[name]}" for name in instance.ports for host in ("127.0.0.1", "localhost", "[::1]")
    ]
    return ["example.org:443", "docs.python.org:80", *out_of_reach.INTERNET, *out_of_reach.METADATA, *gateway]


@asynccontextmanager
async def _listed(instance: PrivateInstance) -> AsyncIterator[str]:
    """A server that is on the visitor's list."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    url = yaml.safe_load((instance.folder / "guests" / VISITOR / "service.yaml").read_text())["egress"][-1]["to"]
    async with await asyncio.start_server(greet, "127.0.0.1", int(url.rpartition(":")[2])):
        yield f"{url}/"


async def foreign(scene: Scene) -> Seen:
    """Files, keys and secrets of everybody else."""
    await demand(scene, ("files", "environment", "processes", "landlock"), PRISONER)
    tries = Break(scene)
    await tries.out("files", await asyncio.to_thread(out_of_reach.files, scene.instance))
    return await tries.seen()


async def system(scene: Scene) -> Seen:
    """Other processes, everybody's files, and the kernel."""
    await demand(scene, ("processes", "read-only", "privileges", "syscalls", "landlock"), PRISONER)
    tries = Break(scene)
    await tries.out("processes", out_of_reach.processes(scene.instance))
    await tries.out("writing", out_of_reach.writable(scene.instance))
    await tries.out("kernel", {})
    return await tries.seen()


async def others_sockets(scene: Scene) -> Seen:
    """The door is tried as well: it is the one that must open."""
    await demand(scene, ("sockets", "network"), PRISONER)
    tries, name = Break(scene), f"fb-gameday-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name)
        listener.listen()
        await tries.out("sockets", out_of_reach.sockets(scene.instance, name), ways={DOOR: "connected"})
    return await tries.seen()


def prepare(instance: PrivateInstance) -> None:
    """A secret in the environment of `firebreak up`, and the same tool once more, with a way out to two places."""
    instance.extra[out_of_reach.SECRET] = secrets.token_hex(16)
    file = guest(instance, PRISONER, VISITOR) / "service.yaml"
    egress = ["docs.python.org", {"to": f"http://127.0.0.1:{free_port()}", "private": True}]
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"egress": egress}))


WALLS = Setting(services=(PRISONER,), prepare=prepare)
FAULTS = (
    Fault(19, "network: internet, loopback, cloud metadata, DNS, UDP", "refused inside the sandbox", network, WALLS),
    Fault(20, "others' files, the gateway's keys, the home, environment secrets", "not there", foreign, WALLS),
    Fault(21, "signals, traces, writes outside, mounts, new namespaces", "refused", system, WALLS),
    Fault(22, "connects to another service's socket directly", "not there", others_sockets, WALLS),
)
