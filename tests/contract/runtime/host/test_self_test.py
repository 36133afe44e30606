"""The real self-test, asked over the wire, behind real walls; and without one of them at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from firebreak.v1 import host_pb2, host_pb2_grpc, tool_pb2, tool_pb2_grpc

from tests.contract.runtime.host.running import ENTRY, descendants, until
from tests.contract.runtime.host.sandbox import PLACES, SCRATCH, WALLS, bubblewrap, inside

pytestmark = pytest.mark.skipif(bubblewrap() is None, reason="needs bubblewrap (bwrap)")

LAUNCHERS = (
    "network",
    "sockets",
    "files",
    "read-only",
    "scratch",
    "environment",
    "processes",
    "memory",
    "cpu",
    "tasks",
)
OWN = ("privileges", "syscalls", "landlock", "limits")
STATES = {1: "held", 2: "broken", 3: "not in force"}
SERVE = "unix:/run/firebreak/own/serve.sock"
ENCLOSED = ("--enclose", "best-effort", "--writable", "/tmp", "--writable", "/dev/shm")
NOT_ENCLOSED = ("--enclose", "none", *(part for name in OWN for part in ("--promise", name)))

NO_LANDLOCK = """
import os, sys
from firebreak_runtime import bpf, privileges, seccomp
privileges.gain_none()
refuse = bpf.if_equal(444, bpf.answer(0x50000 | 38))
seccomp.install(bpf.encode([*bpf.load(0), *refuse, *bpf.answer(0x7FFF0000)]))
os.execv(sys.executable, [sys.executable, "-I", *sys.argv[1:]])
"""
"""Takes Landlock away from what follows, as a kernel without it would."""


class Walled:
    """One service in a sandbox of its own. `folder` has the places that are bound into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for place in PLACES:
            (folder / place).mkdir()
        (folder / "identity/token").write_text("token")
        self.settings: dict[str, Any] = {
            "name": "probe",
            "kind": "tool",
            "version": "1.0.0",
            "entrypoint": "probe:plain",
            "effect": "READ",
            "runtime": {"memory": "256MiB", "workers": 1, "spare": 0},
            "reads": [str(ENTRY.parent)],
            "sandbox": {"scratch": f"{SCRATCH}B"},
        }
        self._channel = grpc.aio.insecure_channel(f"unix:{folder}/own/serve.sock")
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        own: Sequence[str] = ENCLOSED,
        walls: Mapping[str, Sequence[str]] = WALLS,
        bind: Sequence[str] = (),
        claimed: Sequence[str] = LAUNCHERS,
        entry: Sequence[str] = (str(ENTRY),),
    ) -> None:
        """`own` are the host's arguments, `bind` more of bubblewrap's, `entry` what Python runs."""
        (self.folder / "service/service.yaml").write_text(json.dumps(self.settings))
        options = ["--service", str(self.folder / "service"), "--listen", SERVE, *own]
        options += ["--gateway", "unix:/run/firebreak/door/gateway.sock"]
        options += ["--token-file", "/run/firebreak/identity/token"]
        options += [part for name in claimed for part in ("--promise", name)]
        command = [*inside(self.folder, walls, bind), sys.executable, "-I", *entry, *options]
        with (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, stderr=log)

    async def prove(self, **asked: Any) -> dict[str, tuple[str, str]]:
        """State and detail of each promise."""
        stub = host_pb2_grpc.HostServiceStub(self._channel)
        request = host_pb2.HostServiceProveRequest(**asked)
        answer = await stub.Prove(request, timeout=20, wait_for_ready=True)
        return {promise.name: (STATES.get(promise.state, "unknown"), promise.detail) for promise in answer.promises}

    async def text(self, **args: Any) -> str:
        """What the tool answers once it is ready."""
        call = tool_pb2.ToolCall(target="probe", args_json=json.dumps(args).encode())
        await until(lambda: '"event": "ready"' in self.log)
        stub = tool_pb2_grpc.ToolServiceStub(self._channel)
        return str((await stub.Call(tool_pb2.ToolServiceCallRequest(call=call), timeout=10)).result.content[0].text)

    @property
    def inner(self) -> int:
        """The host's process id out here."""
        assert self._process is not None
        (pid,) = map(int, Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split())
        return pid

    @property
    def outer(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def close(self) -> None:
        await self._channel.close()
        if self._process is not None:
            below = descendants(self._process.pid)
            for pid in below:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(20)


@pytest.fixture
async def walled() -> AsyncIterator[Walled]:
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    service = Walled(folder)
    yield service
    await service.close()
    shutil.rmtree(folder)


@pytest.fixture
def listener() -> Iterator[Callable[[str], str]]:
    """Makes sockets that listen; gives their paths."""
    with contextlib.ExitStack() as stack:

        def listen(path: str) -> str:
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.bind(path)
            sock.listen()
            return path

        yield listen


def _without(wall: str, *instead: str) -> dict[str, Sequence[str]]:
    return {**WALLS, wall: instead}


async def _broken(service: Walled, **asked: Any) -> dict[str, str]:
    return {name: detail for name, (state, detail) in (await service.prove(**asked)).items() if state == "broken"}


async def test_behind_all_walls_everything_is_held(walled: Walled, listener: Any) -> None:
    listener(str(walled.folder / "door/gateway.sock"))
    listener(str(walled.folder / "other.sock"))
    walled.start()
    promises = await walled.prove(
        files=[str(walled.folder / "log"), "/proc/1/environ", "/proc/1/mem"],
        sockets=[str(walled.folder / "other.sock"), "/" + "x" * 200],
        addresses=["127.0.0.1:7500", "[::1]:7500", "localhost:7501", "0.0.0.0:7502"],
    )
    assert {name: told for name, told in promises.items() if told != ("held", "")} == {}
    assert set(promises) == {*LAUNCHERS[:7], *OWN}


async def test_the_launchers_walls_hold_by_themselves_but_for_what_leans_on_the_hosts(walled: Walled) -> None:
    walled.start(NOT_ENCLOSED)
    broken = await _broken(walled)
    assert set(broken) - {"network"} == {"scratch", "syscalls", "landlock"}
    assert "/run/firebreak/own (a disk: " in broken["scratch"]
    assert broken["syscalls"].startswith("got through to mount, ptrace, io_uring_setup and ")
    assert "a file in /run/firebreak/locked" in broken["landlock"]
    # A virtual machine can reach the one around it, past any network namespace.
    assert broken.get("network", "reached the machine around this one") == "reached the machine around this one"


async def test_what_nobody_claims_is_not_in_force(walled: Walled) -> None:
    walled.start(("--enclose", "none"), _without("network"), claimed=())
    promises = await walled.prove()
    assert {promises[name][0] for name in ("landlock", "syscalls", "network", "scratch")} == {"not in force"}
    assert promises["files"] == ("held", "")


async def test_without_landlock_it_says_so_and_what_leans_on_it_is_not_claimed(walled: Walled) -> None:
    walled.start(entry=("-c", NO_LANDLOCK, str(ENTRY)))
    promises = await walled.prove()
    assert promises["landlock"][0] == promises["scratch"][0] == "not in force"
    assert promises["landlock"][1].startswith("this kernel has no Landlock")
    assert promises["scratch"][1].startswith(
        "without Landlock files can be made elsewhere, as in the folder of the service's socket; "
    )
    assert "broken" not in {state for state, _ in promises.values()}
    line = json.loads(walled.log.splitlines()[0])
    assert line["event"] == "walls"
    assert "landlock" not in line["claimed"]
    assert "landlock" in line["missing"]


async def test_where_a_wall_is_required_and_missing_it_does_not_start(walled: Walled) -> None:
    walled.start(("--enclose", "required", "--writable", "/tmp"), entry=("-c", NO_LANDLOCK, str(ENTRY)))
    await until(lambda: walled.outer.poll() is not None)
    assert walled.outer.returncode == 3
    assert walled.log.count("\n") == 1
    assert walled.log.startswith("probe: landlock: this kernel has no Landlock")


@pytest.mark.parametrize(
    ("walls", "own", "promise", "detail"),
    [
        (_without("network"), NOT_ENCLOSED, "network", "1.1.1.1:443|169.254.169.254:80|127.0.0.1:1"),
        (_without("processes", "--bind", "/proc", "/proc"), NOT_ENCLOSED, "processes", "saw the processes"),
        (_without("privileges", "--cap-add", "ALL"), NOT_ENCLOSED, "privileges", "has capabilities (CapEff"),
        (_without("read-only"), NOT_ENCLOSED, "read-only", "could write to /"),
        (_without("scratch", "--tmpfs", "/tmp", "--tmpfs", "/dev/shm"), ENCLOSED, "scratch", "/tmp ("),
        (
            {**WALLS, "environment": (*WALLS["environment"], "--setenv", "API_KEY", "hunter2")},
            ENCLOSED,
            "environment",
            "saw the variables API_KEY",
        ),
    ],
)
async def test_without_a_wall_its_promise_is_broken(
    walled: Walled, walls: Mapping[str, Sequence[str]], own: Sequence[str], promise: str, detail: str
) -> None:
    walled.start(own, walls)
    broken = await _broken(walled)
    assert any(part in broken[promise] for part in detail.split("|")), broken
    assert "hunter2" not in str(broken)


async def test_a_foreign_file_is_found_wherever_it_is(walled: Walled) -> None:
    secret = walled.folder / "secret"
    secret.write_text("secret")
    bind = ("--ro-bind", str(secret), "/srv/deep/down/key", "--ro-bind", str(secret), "/opt/named")
    walled.start(ENCLOSED, bind=bind)
    assert await _broken(walled, files=["/opt/named"]) == {"files": "could read /opt/named, /srv/deep/down/key"}


async def test_a_socket_is_found_wherever_it_is(walled: Walled, listener: Any) -> None:
    path = listener(str(walled.folder / "other.sock"))
    walled.start(bind=("--ro-bind", path, "/run/one.sock", "--ro-bind", path, "/srv/odd.sock"))
    assert await _broken(walled) == {"sockets": "connected to /run/one.sock, /srv/odd.sock"}


async def test_code_that_can_be_written_is_found(walled: Walled) -> None:
    service = str(walled.folder / "service")
    walled.start((*ENCLOSED, "--writable", service), bind=("--bind", service, service))
    broken = await _broken(walled)
    assert broken["read-only"] == f"could write to {service}, {service}/service.yaml"


async def test_an_address_that_the_gateway_names_is_tried(walled: Walled) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        walled.start(NOT_ENCLOSED, _without("network"))
        assert (await walled.prove(addresses=[address]))["network"][0] == "broken"
        server.setblocking(False)
        server.accept()[0].close()


async def test_files_and_paths_that_the_service_may_read_are_no_leak(walled: Walled) -> None:
    data = walled.folder / "data"
    data.mkdir()
    (data / "stock.db").write_text("stock")
    (walled.folder / "secrets/key").write_text("key")
    walled.settings["reads"].append(str(data))
    walled.start((*ENCLOSED, "--secrets", "/run/firebreak/secrets"), bind=("--ro-bind", str(data), str(data)))
    assert await _broken(walled) == {}


async def test_with_an_egress_proxy_a_worker_reaches_it_and_nothing_else(walled: Walled) -> None:
    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"may it reach " + await reader.read() + b"?")
        writer.close()

    walled.settings["egress"] = ["example.org", {"to": "*.example.net", "private": True}]
    async with await asyncio.start_unix_server(proxy, str(walled.folder / "egress/egress.sock")):
        walled.start((*ENCLOSED, "--egress", "unix:/run/firebreak/egress/egress.sock"))
        promises = await walled.prove(addresses=["127.0.0.1:7500", "127.0.0.1:3128"])
        assert {name: told for name, told in promises.items() if told != ("held", "")} == {}
        assert await walled.text(do="ask_proxy") == "may it reach example.org *.example.net?"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_as_the_first_process_of_its_namespace_it_ends_when_asked(walled: Walled, number: int) -> None:
    walled.start()
    await walled.prove()
    os.kill(walled.inner, number)
    await until(lambda: walled.outer.poll() is not None)
    assert walled.outer.returncode == 0


async def test_as_the_first_process_it_ends_at_once_when_asked_again(walled: Walled) -> None:
    walled.start((*ENCLOSED, "--grace", "60"))
    await walled.prove()
    inner = walled.inner

    def ask() -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inner, signal.SIGTERM)
        return walled.outer.poll() is not None

    await until(ask)
    assert walled.outer.returncode == 128 + signal.SIGTERM


async def test_as_the_first_process_it_leaves_no_zombies(walled: Walled) -> None:
    walled.start()
    await walled.prove()
    await until(lambda: "worker ready" in walled.log)
    (zygote,) = [pid for pid in descendants(walled.inner) if pid in _children(walled.inner)]
    os.kill(zygote, signal.SIGKILL)
    await until(lambda: "service is down" in walled.log)
    await until(lambda: not any(map(_zombie, descendants(walled.inner))))


def _children(pid: int) -> set[int]:
    return {int(p) for t in Path(f"/proc/{pid}/task").glob("*/children") for p in t.read_text().split()}


def _zombie(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text()
    return False


async def test_a_question_that_is_too_large_is_refused(walled: Walled) -> None:
    walled.start()
    for entries in (["/x"] * 257, ["/" + "x" * 1024]):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await walled.prove(files=entries)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
