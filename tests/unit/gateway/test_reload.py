"""The configuration is followed while it is edited: what is right counts, what is wrong changes nothing and is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from google.protobuf import empty_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from gateway.adapters.config_files import load
from gateway.adapters.registry import Changes, Registry
from gateway.reload import Reload, targets
from gateway.targets import Target
from tests.calls import make_target
from tests.contract.certificates import Authority, write_server
from tests.proofs import pace

MAIN = """\
listeners:
  - name: public
    address: 127.0.0.1:7500
    accept: [jwt]
admin: 127.0.0.1:7501
identity:
  session_keys: keys
policy:
  path: policies
services:
  - path: services/echo
    address: unix:echo.sock
  - path: services/other
    address: 127.0.0.1:7600
"""
SERVICE = "name: {}\nkind: tool\nversion: 1.0.0\nentrypoint: a:b\neffect: READ\n"


class World:
    """A folder with a configuration, and a gateway's registry that follows it; nothing is connected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "policies").mkdir()
        self.main(MAIN)
        for name in ("echo", "other"):
            self.service(name, SERVICE.format(name))
        self.now = 1_000.0
        self.asked = asyncio.Event()
        loaded = load(Path("firebreak.yaml"))
        self.registry = Registry(targets(loaded), _no_channel, _retired, pace())
        self.reload = Reload(loaded, self.registry, self.asked, lambda: self.now, interval=0.01)

    def main(self, text: str) -> None:
        _write(self.folder / "firebreak.yaml", text)

    def service(self, name: str, text: str) -> None:
        (self.folder / "services" / name).mkdir(parents=True, exist_ok=True)
        _write(self.folder / "services" / name / "service.yaml", text)

    def link(self, to: str) -> None:
        (self.folder / "draft").symlink_to(to)
        (self.folder / "draft").replace(self.folder / "echo.sock")

    async def settled(self) -> None:
        """As many looks as a change needs: one that sees it, one that finds it still."""
        await self.reload.poll()
        await self.reload.poll()

    def target(self, name: str = "echo") -> Target:
        found = self.registry.get(name)
        assert found is not None
        return found

    @property
    def error(self) -> str:
        return str(self.reload.report()["error"])


def _no_channel(target: Target) -> None:
    raise AssertionError("nothing runs here")


async def _retired(target: Target) -> None:
    raise AssertionError("nothing runs here")


def _write(path: Path, text: str) -> None:
    """In one step, as editors do; a new inode even where time and size are the same."""
    draft = path.with_name("draft")
    draft.write_text(text)
    draft.replace(path)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    return World(tmp_path)


async def test_at_the_start_it_tells_what_is_in_force(world: World) -> None:
    await world.settled()
    report = world.reload.report()
    assert len(report.pop("revision")) == 64
    assert report == {
        "loaded": "1970-01-01T00:16:40.000+00:00",
        "reloads": 0,
        "failed": 0,
        "error": "",
        "needs_restart": [],
        "draining": [],
    }


async def test_a_changed_service_is_another_target(world: World) -> None:
    before, other, revision = world.target(), world.target("other"), world.reload.report()["revision"]
    world.service("echo", SERVICE.format("echo") + "limits: {concurrency: 3}\n")
    world.now = 2_000.0
    await world.settled()
    assert world.target() is not before
    assert world.target().config.limits.concurrency == 3
    assert world.target("other") is other, "what did not change goes on"
    report = world.reload.report()
    assert report["revision"] != revision
    assert (report["loaded"], report["reloads"], report["failed"]) == ("1970-01-01T00:33:20.000+00:00", 1, 0)


async def test_files_are_read_when_they_are_still(world: World) -> None:
    for concurrency in (3, 4, 5):
        world.service("echo", SERVICE.format("echo") + f"limits: {{concurrency: {concurrency}}}\n")
        await world.reload.poll()
        assert world.reload.report()["reloads"] == 0
    await world.reload.poll()
    assert world.target().config.limits.concurrency == 5
    assert world.reload.report()["reloads"] == 1


async def test_a_comment_changes_nothing(world: World) -> None:
    before, report = world.target(), world.reload.report()
    world.main(MAIN + "# as before\n")
    world.now = 2_000.0
    await world.settled()
    assert world.target() is before
    assert world.reload.report() == {**report, "reloads": 1}


async def test_services_come_and_go(world: World) -> None:
    world.service("new", SERVICE.format("new"))
    world.main(MAIN.replace("services/other", "services/new"))
    await world.settled()
    assert [target.name for target in world.registry.all()] == ["echo", "new"]
    assert dict(world.registry.identities) == {"service:echo": "echo", "service:new": "new"}
    world.main(MAIN)
    await world.settled()
    assert [target.name for target in world.registry.all()] == ["echo", "other"]
    assert dict(world.registry.identities) == {"service:echo": "echo", "service:other": "other"}


@pytest.mark.parametrize(
    ("main", "service", "error"),
    [
        (MAIN + "drian: 3s\n", "", "firebreak.yaml:15: drian: is no known key; did you mean drain?"),
        (MAIN + "services: [\n", "", "firebreak.yaml:16: YAML: "),
        ("", "", "firebreak.yaml:1: is empty"),
        (
            MAIN.replace("services/other", "services/new"),
            "",
            "firebreak.yaml:13: services[1].path: there is no services/",
        ),
        (MAIN, "limits: {concurency: 3}\n", "services/echo/service.yaml:6: limits.concurency: is no known key"),
    ],
)
async def test_what_is_wrong_changes_nothing_and_is_told_until_it_is_mended(
    world: World, main: str, service: str, error: str
) -> None:
    before, revision = world.registry.all(), world.reload.report()["revision"]
    world.main(main)
    world.service("echo", SERVICE.format("echo") + service)
    await world.settled()
    assert world.error.startswith(error)
    assert world.registry.all() == before
    report = world.reload.report()
    assert (report["revision"], report["reloads"], report["failed"]) == (revision, 1, 1)
    world.main(MAIN)
    world.service("echo", SERVICE.format("echo"))
    await world.settled()
    assert world.error == ""
    assert world.registry.all() == before
    assert world.reload.report()["failed"] == 1


async def test_a_missing_file_is_found_when_it_comes(world: World) -> None:
    world.main(MAIN.replace("services/other", "services/new"))
    await world.settled()
    assert "there is no services/new/service.yaml" in world.error
    world.service("new", SERVICE.format("new"))
    await world.settled()
    assert world.error == ""
    assert world.registry.get("new") is not None


async def test_a_main_file_that_is_gone_for_a_moment_changes_nothing(world: World) -> None:
    before = world.registry.all()
    (world.folder / "firebreak.yaml").unlink()
    await world.settled()
    assert world.error == "firebreak.yaml:1: cannot be read: No such file or directory"
    assert world.registry.all() == before
    world.main(MAIN)
    await world.settled()
    assert world.error == ""


async def test_whoever_asks_gets_an_answer_at_once(world: World) -> None:
    world.asked.set()
    await world.reload.poll()
    assert world.reload.report()["reloads"] == 1, "even where nothing changed"
    world.service("echo", SERVICE.format("echo") + "limits: {concurrency: 3}\n")
    world.asked.set()
    await world.reload.poll()
    assert world.target().config.limits.concurrency == 3
    await world.settled()
    assert world.reload.report()["reloads"] == 2, "asked once, read once"


async def test_the_rest_of_the_file_waits_for_a_restart(world: World) -> None:
    changed = MAIN.replace("7500", "7510").replace("path: policies", "path: policies\n  timeout: 1s")
    world.main(changed + "admission:\n  in_flight: 7\n  principal_rate: {per_second: 5, burst: 5}\n")
    world.service("echo", SERVICE.format("echo") + "limits: {concurrency: 3}\n")
    await world.settled()
    report = world.reload.report()
    assert report["error"] == ""
    assert report["needs_restart"] == [
        "listeners",
        "policy.timeout",
        "admission.in_flight",
        "admission.principal_rate.per_second",
        "admission.principal_rate.burst",
    ]
    assert world.target().config.limits.concurrency == 3, "services do not wait"
    world.main(MAIN)
    await world.settled()
    assert world.reload.report()["needs_restart"] == []


async def test_a_link_that_leads_elsewhere_is_a_new_instance(world: World) -> None:
    first = world.target()
    assert first.socket == str(world.folder / "echo.sock")
    world.link("echo.1.sock")
    await world.reload.poll()
    second = world.target()
    assert second is not first
    assert second.socket == str(world.folder / "echo.1.sock")
    assert (second.address, second.endpoint) == ("unix:echo.sock", f"unix:{world.folder}/echo.1.sock")
    await world.settled()
    assert world.target() is second
    assert world.reload.report()["reloads"] == 0, "no file was read"


async def test_a_link_that_is_gone_says_nothing_of_a_new_instance(world: World) -> None:
    world.link("echo.1.sock")
    await world.reload.poll()
    before = world.target()
    (world.folder / "echo.sock").unlink()
    await world.settled()
    world.asked.set()
    await world.reload.poll()
    assert world.target() is before
    world.link("echo.2.sock")
    await world.reload.poll()
    assert world.target().socket == str(world.folder / "echo.2.sock")


async def test_a_service_that_is_not_on_a_socket_has_none(world: World) -> None:
    assert (world.target("other").socket, world.target("other").endpoint) == ("", "127.0.0.1:7600")


@pytest.mark.parametrize(
    ("socket", "endpoint"),
    [
        ("/" + "x" * 106, "unix:/" + "x" * 106),
        ("{here}/" + "y" * 107, "unix:" + "y" * 107),
        ("{here}/" + "y" * 108, "unix:calculator.sock"),
        ("/" + "é" * 53 + "x", "unix:calculator.sock"),
    ],
)
def test_a_socket_is_reached_by_what_path_is_short_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, socket: str, endpoint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    target = make_target()
    target.socket = socket.format(here=tmp_path)
    assert target.endpoint == endpoint


def described(method: str) -> bytes:
    """Descriptors of a service with one method."""
    file = FileDescriptorProto(name="shop.proto", package="shop.v1", dependency=[empty_pb2.DESCRIPTOR.name])
    service = file.service.add(name="Stock")
    service.method.add(name=method, input_type=".google.protobuf.Empty", output_type=".google.protobuf.Empty")
    return FileDescriptorSet(file=[file]).SerializeToString()


async def test_routes_come_and_change_with_their_descriptors(world: World) -> None:
    (world.folder / "shop.binpb").write_bytes(described("Count"))
    route = "routes:\n  - {name: shop, address: 127.0.0.1:7700, methods: [shop.v1.Stock/*], descriptors: shop.binpb}\n"
    world.main(MAIN + route)
    await world.settled()
    assert world.error == ""
    first = world.target("shop")
    assert world.registry.method("/shop.v1.Stock/Count") is not None
    (world.folder / "shop.binpb").write_bytes(described("List"))
    await world.settled()
    assert world.target("shop") is not first
    assert world.registry.method("/shop.v1.Stock/Count") is None
    assert world.registry.method("/shop.v1.Stock/List") is not None
    assert "shop" not in world.registry.identities.values(), "a routed service is nobody"
    world.main(MAIN)
    await world.settled()
    assert world.registry.method("/shop.v1.Stock/List") is None


class Failing(Registry):
    """A registry with a bug in it."""

    def put(self, targets: Iterable[Target]) -> Changes:
        if self.all():
            raise ZeroDivisionError
        return super().put(targets)


async def test_a_bug_is_told_and_the_following_goes_on(world: World) -> None:
    loaded = load(Path("firebreak.yaml"))
    registry = Failing(targets(loaded), _no_channel, _retired, pace())
    reload = Reload(loaded, registry, asyncio.Event(), lambda: 0.0)
    world.link("echo.1.sock")
    await reload.poll()
    assert (
        reload.report()["error"] == "reading the configuration failed (ZeroDivisionError); the gateway's log says why"
    )
    assert reload.report()["failed"] == 1


async def test_it_goes_on_until_it_is_cancelled(world: World) -> None:
    task = asyncio.create_task(world.reload.run())
    try:
        world.service("echo", SERVICE.format("echo") + "limits: {concurrency: 3}\n")
        async with asyncio.timeout(10):
            while world.reload.report()["reloads"] < 1:
                await asyncio.sleep(0.005)
            world.asked.set()
            while world.reload.report()["reloads"] < 2:
                await asyncio.sleep(0.005)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert world.target().config.limits.concurrency == 3


TLS = MAIN + "    tls: {ca: tls/ca.crt, certificate: tls/server.crt, key: tls/server.key}\n"


async def test_files_of_a_services_tls_are_waited_for_and_followed(world: World) -> None:
    before = world.registry.all()
    world.main(TLS)
    await world.settled()
    assert "tls/ca.crt: No such file" in world.error
    assert world.registry.all() == before
    authority = Authority()
    (world.folder / "tls").mkdir()
    write_server(world.folder / "tls", authority)
    await world.settled()
    assert world.error == ""
    first = world.target("other")
    assert first.secured is not None
    assert first.secured.ca == authority.ca
    write_server(world.folder / "tls", authority)
    await world.settled()
    second = world.target("other")
    assert second.secured != first.secured
    assert world.target("echo") is before[0], "what has no such file goes on"


async def test_half_of_a_rotation_changes_nothing(world: World) -> None:
    authority = Authority()
    (world.folder / "tls").mkdir()
    write_server(world.folder / "tls", authority)
    world.main(TLS)
    await world.settled()
    first = world.target("other")
    _write(world.folder / "tls/server.key", authority.issue("gateway")[1].decode())
    await world.settled()
    assert world.error == ""
    assert world.target("other") is first
