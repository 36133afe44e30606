"""What code in a shipped service sees and can do: the python tool runs it, behind every wall that this machine can have."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from firebreak.client import Client

from cli.gameday.processes import descendants
from tests.e2e.instance import ROOT, Instance, wait_for

ROOTS = {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "tmp", "usr"}
TRY = """
import errno, os, socket
def tried(what, *arguments, **more):
    try:
        return repr(what(*arguments, **more))
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
"""


def claimed(instance: Instance, name: str = "python") -> dict[str, Any]:
    state: dict[str, Any] = json.loads((instance.state / f"run/{name}.json").read_text())["sandbox"]
    return state


@pytest.fixture
def told(shipped: Instance, client: Client) -> Callable[[str], Any]:
    """The value of the last expression of code that ran in the tool."""
    if "files" not in claimed(shipped)["promises"]:
        pytest.skip(claimed(shipped)["missing"]["files"])

    def run(code: str) -> Any:
        answer = client.call("python", {"code": TRY + code})
        assert answer.ok, answer.text
        return ast.literal_eval(answer.text)

    return run


def test_there_are_no_processes_but_its_own(told: Callable[[str], Any]) -> None:
    """The host is the first; those of the machine have much greater numbers, or are many more."""
    pids = told("sorted(int(name) for name in os.listdir('/proc') if name.isdecimal())")
    assert pids[0] == 1
    assert len(pids) < 16
    assert "firebreak_runtime" in told("open('/proc/1/cmdline').read()")


def test_there_are_no_files_but_its_own(told: Callable[[str], Any], shipped: Instance) -> None:
    foreign = [shipped.state, shipped.folder, ROOT / "gateway", ROOT / "services/sql", "/etc/shadow", "/home", "/var", "/sys",
               Path.home() / ".ssh", Path.home() / ".bashrc"]  # fmt: skip
    assert told(f"[path for path in {[str(path) for path in foreign]!r} if os.path.exists(path)]") == []
    assert "root" not in told("open('/etc/passwd').read()")
    below = {Path(ROOT).parts[1], *Path.home().parts[1:2]}
    assert set(told("os.listdir('/')")) <= ROOTS | below


def test_there_is_no_socket_but_the_gateways(told: Callable[[str], Any], shipped: Instance) -> None:
    sockets = told(
        "import stat\n"
        "[os.path.join(at, name) for top in ('/run', '/tmp', '/dev') for at, _, names in os.walk(top) for name in names"
        " if stat.S_ISSOCK(os.lstat(os.path.join(at, name)).st_mode)]"
    )
    assert set(sockets) == {"/run/firebreak/door/gateway.sock", "/run/firebreak/own/serve.sock"}
    outside = str((shipped.state / "run/calculator.sock").resolve())
    assert told(f"tried(socket.socket(socket.AF_UNIX).connect, {outside!r})") in ("ENOENT", "EACCES")


@pytest.mark.parametrize("address", ["('127.0.0.1', 7501)", "('1.1.1.1', 443)", "('169.254.169.254', 80)"])
def test_there_is_no_network(told: Callable[[str], Any], address: str) -> None:
    refused = {"EACCES", "EPERM", "ENETUNREACH", "ECONNREFUSED", "EAFNOSUPPORT"}
    assert told(f"tried(lambda: socket.create_connection({address}, 2))") in refused
    assert told(f"tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {address}))") in refused


def test_it_can_write_nowhere_but_in_its_scratch_space(told: Callable[[str], Any]) -> None:
    places = ["/x", "/usr/x", "/etc/x", "/dev/x", "/run/x", "/proc/sys/kernel/core_pattern", str(ROOT / "services/python/x"),
              str(ROOT / ".firebreak/envs/python/x"), "/run/firebreak/own/x", "/run/firebreak/identity/token"]  # fmt: skip
    answers = told(f"[tried(open, path, 'w') for path in {places!r}]")
    assert set(answers) <= {"EROFS", "EACCES", "EPERM", "ENOENT"}
    assert told("open('/tmp/x', 'w').write('kept')") == 4


def test_its_scratch_space_is_bounded(told: Callable[[str], Any]) -> None:
    code = """
def fill(path):
    written = 0
    try:
        with open(path, 'wb', buffering=0) as file:
            while written < 1 << 30:
                written += file.write(bytes(1 << 20))
    except OSError as error:
        return errno.errorcode[error.errno], written <= 64 << 20
    finally:
        os.unlink(path)
[fill('/tmp/fill'), fill('/dev/shm/fill')]
"""
    assert told(code) == [("ENOSPC", True)] * 2


def test_its_environment_holds_nothing_of_the_launchers(told: Callable[[str], Any]) -> None:
    """The instance was started in the environment of the tests."""
    found = told("dict(os.environ)")
    assert found["HOME"] == "/tmp"
    assert not {*found} & ({*os.environ} - {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PWD"})


def test_it_has_no_capability_and_gains_none(told: Callable[[str], Any]) -> None:
    status = told("open('/proc/self/status').read()")
    capabilities = {line.split()[1] for line in status.splitlines() if line.startswith("Cap")}
    assert capabilities == {"0" * 16}
    assert "NoNewPrivs:\t1" in status


def test_its_whole_service_is_bounded(shipped: Instance) -> None:
    claims = claimed(shipped)
    record = shipped.state / "run/cgroups"
    if not {"memory", "cpu", "tasks"} <= {*claims["promises"]} or not record.exists():
        pytest.skip(str(claims["missing"] or "bounded by systemd"))
    pid = json.loads((shipped.state / "run/python.json").read_text())["pid"]
    groups = [group for line in record.read_text().splitlines() for group in Path(line).glob("python.*")]
    assert groups
    # Where processes are counted its host has a part of the group, and its zygote and workers another.
    hosts = [group / "host" if (group / "host").exists() else group for group in groups]
    for group in hosts:
        assert str(pid) in (group / "cgroup.procs").read_text().split()
    (workers,) = (group / "workers" for group in groups if (group / "workers").exists())
    below = {one: Path(f"/proc/{one}/cmdline").read_bytes() for one in descendants(pid)}
    of_zygote = {one for one, command in below.items() if b"firebreak_runtime.zygote" in command}
    assert of_zygote
    assert of_zygote <= {*map(int, (workers / "cgroup.procs").read_text().split())}
    assert (workers / "pids.max").read_text() == "224\n"
    limits = {
        file.name: file.read_text().strip() for group in groups for file in group.iterdir() if file.name in
        ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.cfs_quota_us", "cpu.max")
    }  # fmt: skip
    assert len(limits) == 3
    assert not [value for value in limits.values() if value.startswith(("max", "-1"))]


def test_what_is_claimed_is_told(shipped: Instance) -> None:
    rows = {row["name"]: row for row in json.loads(shipped.cli("status", "--json").stdout)["services"]}
    for name in ("python", "calculator", "assistant"):
        assert rows[name]["sandbox"] == claimed(shipped, name)


def test_without_walls_services_run_and_status_names_what_is_not_in_force(start: Callable[..., Instance]) -> None:
    instance = start([ROOT / "services/calculator"], sandbox="none")
    with instance.client() as client:
        assert client.call("calculator", {"expression": "6 * 7"}).text == "42"
    assert claimed(instance, "calculator")["promises"] == []
    shown = instance.cli("status").stdout
    assert "not in force for calculator: network," in shown
    assert "sandbox: none is configured" in shown


def test_where_a_wall_is_required_and_cannot_be_had_the_service_is_not_started(start: Callable[..., Instance]) -> None:
    """The door's folder is one that must not be shown: no sandbox can be had for anybody."""
    listeners = yaml.safe_load((ROOT / "firebreak.yaml").read_text())["listeners"]
    (door,) = [{**one, "address": "unix:.firebreak/run/gateway.sock"} for one in listeners if one["name"] == "services"]
    public = {"name": "public", "address": "127.0.0.1:0", "accept": ["jwt"]}
    instance = start([ROOT / "services/calculator"], sandbox="required", listeners=[public, door])
    row = wait_for(lambda: instance.service("calculator"), 10.0, "the service's row")
    assert row["state"] != "ready"
    shown = instance.cli("status")
    assert shown.returncode == 1
    assert "a wall that is required cannot be had" in shown.stdout
    assert "give the listener a folder of its own" in shown.stdout.replace("\n", " ")
    assert "started WITHOUT a sandbox" in instance.printed.read_text()
    assert "calculator: NOT ready. a wall that is required" in instance.printed.read_text()
