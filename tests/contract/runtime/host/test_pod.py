"""What a pod of charts/service promises, proven from inside with the arguments that the chart renders: with the pod's walls and
without them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime import landlock

from tests.charts.helpers import Object, container, one, render
from tests.contract.runtime.host import pod
from tests.contract.runtime.host.running import ENTRY
from tests.contract.runtime.host.sandbox import CODE, bubblewrap, read_only, shelters_of, system
from tests.contract.runtime.host.test_self_test import NO_LANDLOCK
from tests.programs import lacking

pytestmark = [
    pytest.mark.usefixtures("programs"),
    pytest.mark.skipif(landlock.abi() < landlock.TCP_SINCE, reason="needs a kernel whose Landlock bounds connections"),
]

SERVICE = {
    "name": "probe",
    "kind": "tool",
    "version": "1.0.0",
    "entrypoint": "probe:plain",
    "effect": "READ",
    "runtime": {"memory": "256MiB", "workers": 1, "spare": 0},
    "reads": [str(ENTRY.parent)],
}
VALUES = {"service": SERVICE, "image": {"repository": "registry.example.org/probe", "tag": "1.0.0"}}
EGRESS = {
    "service": {"egress": ["docs.python.org"]},
    "egress": [{"host": "docs.python.org", "port": 443, "cidrs": []}],
    "egressAnywhere": True,
}
PROMISED = {
    "network", "sockets", "files", "read-only", "scratch", "environment", "processes", "privileges", "syscalls",
}  # fmt: skip
FILTER = """
import os, sys
from firebreak_runtime import bpf, privileges, seccomp
privileges.gain_none()
seccomp.install(bpf.encode(bpf.answer(0x7FFF0000)))
os.execv(sys.executable, [sys.executable, "-I", *sys.argv[1:]])
"""
"""What a container runtime does with seccomp RuntimeDefault, as far as it can be told from inside: there is a filter."""
PLATFORM = {
    "HOSTNAME": "probe-7d9f",
    "KUBERNETES_SERVICE_HOST": pod.API_SERVER[0],
    "KUBERNETES_SERVICE_PORT": str(pod.API_SERVER[1]),
    "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}
"""Variables that kubelet, container runtime and image set."""
WALLS: Mapping[str, Sequence[str]] = {
    "processes": ("--unshare-pid", "--as-pid-1", "--proc", "/proc", "--dev-bind", "/dev/null", "/etc/shadow"),
    "privileges": ("--cap-drop", "ALL"),
    "scratch": ("--size", str(64 * 1024**2), "--tmpfs", "/tmp", "--size", str(64 * 1024**2), "--tmpfs", "/dev/shm"),
    "read-only": ("--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"),
    "environment": (),
}


@pytest.fixture(scope="module")
def programs() -> None:
    found = {"bubblewrap": bubblewrap(), "iproute2": pod.iproute(), "unshare (util-linux)": shutil.which("unshare")}
    if missing := [name for name, path in found.items() if path is None]:
        lacking(f"a pod is made with {', '.join(missing)}, which this machine lacks")


class Pod:
    """The folders that are mounted into one pod of the chart."""

    def __init__(self, folder: Path, *over: Mapping[str, Any]) -> None:
        self.folder = folder
        objects = render("service", VALUES, *over)
        self.container: Object = container(one(objects, "Deployment"), "service")
        for place in ("service", "token", "dpkg", "egress/probe"):
            (folder / place).mkdir(parents=True)
        (folder / "service/service.yaml").write_text(one(objects, "ConfigMap")["data"]["service.yaml"])
        (folder / "token/token").write_text("token")
        (folder / "dpkg/status").write_text("Package: base-files")

    def proven(
        self,
        walls: Mapping[str, Sequence[str]] = WALLS,
        *,
        more: Sequence[str] = (),
        entry: Sequence[str] = ("-c", FILTER, str(ENTRY)),
        arguments: Sequence[str] = (),
        open: bool = False,
    ) -> dict[str, tuple[str, str]]:
        command = [*self._box(walls, more), sys.executable, "-I", *entry, *self.container["args"], *arguments]
        request = json.dumps({"command": command, "log": str(self.folder / "log"), "open": open})
        asker = ["unshare", "--user", "--map-root-user", "--net", sys.executable, pod.__file__, request]
        done = subprocess.run(asker, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr + (self.folder / "log").read_text()
        return {name: tuple(told) for name, told in json.loads(done.stdout).items()}

    def _box(self, walls: Mapping[str, Sequence[str]], more: Sequence[str]) -> list[str]:
        program = bubblewrap()
        assert program is not None
        paths = (*CODE, sys.prefix, sys.base_prefix)
        shelters = shelters_of(*paths)
        command = [program, "--unshare-user", "--uid", "65532", "--gid", "65532", "--unshare-ipc", "--unshare-uts"]
        command += ["--die-with-parent", *walls["privileges"], "--clearenv", *self._variables(), *walls["environment"]]
        command += [*system(), "--dev", "/dev", *walls["processes"], *walls["scratch"]]
        command += [part for path in shelters for part in ("--size", "4096", "--tmpfs", path)]
        command += [*read_only(*paths), *self._mounts(), *more]
        command += [part for path in shelters for part in ("--remount-ro", path)]
        return [*command, *walls["read-only"]]

    def _variables(self) -> Iterator[str]:
        chart = {each["name"]: each["value"] for each in self.container["env"]}
        for name, value in (PLATFORM | chart).items():
            yield from ("--setenv", name, value)

    def _mounts(self) -> Iterator[str]:
        """At the paths of the chart, and what the base image has."""
        mounted = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        places = {"service": "/app/service", "token": mounted["token"], "dpkg": "/var/lib/dpkg"}
        if "egress" in mounted:
            places["egress"] = mounted["egress"]
        for place, path in places.items():
            yield from ("--ro-bind", str(self.folder / place), path)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Short enough for sockets, and not below /tmp of the pod."""
    made = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    yield made
    shutil.rmtree(made)


def state(promises: Mapping[str, tuple[str, str]], wanted: str) -> dict[str, str]:
    return {name: detail for name, (is_, detail) in promises.items() if is_ == wanted}


def test_behind_the_pods_walls_everything_is_held(folder: Path) -> None:
    promises = Pod(folder).proven()
    assert {name: told for name, told in promises.items() if told[0] != "held"} == {}
    assert promises.keys() > PROMISED


def test_with_an_egress_proxy_beside_it_too(folder: Path) -> None:
    made = Pod(folder, EGRESS)
    (folder / "egress/lists.json").write_text("{}")
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.bind(str(folder / "egress/probe/egress.sock"))
        proxy.listen()
        promises = made.proven()
    assert {name: told for name, told in promises.items() if told[0] != "held"} == {}


def test_without_the_walls_of_the_cluster_and_of_the_node_each_promise_is_broken(folder: Path) -> None:
    injected = folder / "injected"
    injected.write_text("eyJ")
    api_token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    walls = {
        **WALLS,
        "processes": ("--unshare-pid", "--as-pid-1", "--bind", "/proc", "/proc"),
        "scratch": ("--tmpfs", "/tmp", "--size", str(64 * 1024**2), "--tmpfs", "/dev/shm"),
        "environment": ("--setenv", "AWS_ROLE_ARN", "arn:hidden"),
    }
    with socket.socket(socket.AF_UNIX) as docker:
        docker.bind(str(folder / "docker.sock"))
        docker.listen()
        more = ("--ro-bind", str(injected), api_token, "--ro-bind", str(folder / "docker.sock"), "/run/docker.sock")
        broken = state(Pod(folder).proven(walls, more=more, entry=(str(ENTRY),), open=True), "broken")
    assert broken.keys() == PROMISED - {"read-only", "privileges"}, "the host's own walls keep those two by themselves"
    assert broken["network"] == "reached 1.1.1.1:53, 8.8.8.8:53"
    assert broken["files"] == f"could read {api_token}"
    assert broken["sockets"] == "connected to /run/docker.sock"
    assert broken["environment"] == "saw the variables AWS_ROLE_ARN"
    assert broken["scratch"].startswith("could fill /tmp (")
    assert broken["processes"].startswith("saw ")
    assert "there was none" in broken["syscalls"]


def test_what_the_host_keeps_too_is_broken_where_neither_does_and_what_is_taken_back_is_not_claimed(
    folder: Path,
) -> None:
    walls = {**WALLS, "read-only": (), "privileges": ("--cap-add", "ALL")}
    made = Pod(folder, {"promises": {"network": False, "scratch": False}})
    found = made.proven(walls, entry=("-c", NO_LANDLOCK, str(ENTRY)), arguments=("--enclose=none",), open=True)
    broken = state(found, "broken")
    assert broken["privileges"].startswith("has capabilities")
    assert broken["read-only"].startswith("could write to /")
    open_ = state(found, "not in force")
    assert "1.1.1.1:53" in open_["network"] and "network" not in broken
    assert {"scratch", "landlock"} <= open_.keys()
