"""The programs of a cluster: built by Go in pinned versions, and a few that every distribution of Linux has."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packed import ToolError, say

HOME = Path(__file__).resolve().parents[2] / ".firebreak" / "tools" / "cluster"
"""Where everything that is built goes: bin/, and sources/ with one Go module for each entry of MODULES."""
BIN = HOME / "bin"
KUBERNETES = "1.34.4"
_VERSION = "k8s.io/component-base/version"
_OF_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")


@dataclass(frozen=True)
class Module:
    """Programs that are built together. `packages`: the program's name and what it is built from.

    `replaced`: Kubernetes' own parts are modules whose versions its go.mod leaves open; they have its version with 0 for 1.
    `source`: a folder of ours with a main package, "" for none. `tags` are Go's build tags.
    """

    name: str
    requires: tuple[str, ...]
    packages: tuple[tuple[str, str], ...]
    flags: str = "-s -w"
    replaced: bool = False
    source: str = ""
    tags: str = ""

    @property
    def wanted(self) -> str:
        """What is written beside what was built, so that another version is built anew."""
        packages = (f"{name} {package}" for name, package in self.packages)
        return "\n".join((*self.requires, self.flags, *filter(None, [self.tags]), *packages))


MODULES = (
    Module(
        "kubernetes",
        (f"k8s.io/kubernetes v{KUBERNETES}",),
        tuple((name, f"k8s.io/kubernetes/cmd/{name}") for name in _OF_KUBERNETES),
        f"-s -w -X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34",
        replaced=True,
    ),
    Module("etcd", ("go.etcd.io/etcd/server/v3 v3.6.4",), (("etcd", "go.etcd.io/etcd/server/v3"),)),
    Module(
        "containerd",
        ("github.com/containerd/containerd/v2 v2.2.9",),
        tuple(
            (name, f"github.com/containerd/containerd/v2/cmd/{name}")
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        ),
    ),
    Module(
        "cni",
        ("github.com/containernetworking/plugins v1.9.1",),
        (
            ("ptp", "github.com/containernetworking/plugins/plugins/main/ptp"),
            ("loopback", "github.com/containernetworking/plugins/plugins/main/loopback"),
            ("host-local", "github.com/containernetworking/plugins/plugins/ipam/host-local"),
        ),
    ),
    Module(
        "kube-router",
        ("github.com/cloudnativelabs/kube-router/v2 v2.1.0",),
        (("kube-router", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"),),
    ),
    Module("coredns", ("github.com/coredns/coredns v1.14.3",), (("coredns", "."),), source="coredns"),
    Module("pause", (), (("pause", "."),), source="pause"),
    Module(
        "prometheus",
        ("github.com/prometheus/prometheus v0.313.2",),
        (("prometheus", "github.com/prometheus/prometheus/cmd/prometheus"),),
        tags="remove_all_sd,enable_kubernetes_sd",  # of all that it can look for targets in, the rest takes Go many minutes
    ),
    Module(
        "prometheus-adapter",
        ("sigs.k8s.io/prometheus-adapter v0.12.0",),
        (("prometheus-adapter", "sigs.k8s.io/prometheus-adapter/cmd/adapter"),),
    ),
)
"""All of them; each is built when its versions changed."""

PACKAGES = {"runc": "runc", "ip": "iproute2", "iptables": "iptables", "ipset": "ipset", "openssl": "openssl"}
"""Programs that are taken from PATH, and the Debian package of each."""

MONITORING = ("prometheus", "prometheus-adapter")
"""Programs of BIN that run in pods where a test asks for them."""


def build_all() -> None:
    """Makes sure that BIN holds every program of MODULES; raises ToolError. The first time takes about 25 minutes."""
    go = shutil.which("go")
    for module in MODULES:
        if _built(module):
            continue
        if go is None:
            raise ToolError(f"{module.name} is built from its sources: install Go 1.25 or later.")
        _build(module, go)


def _built(module: Module) -> bool:
    stamp = HOME / "sources" / module.name / "built"
    return (
        stamp.exists()
        and stamp.read_text() == module.wanted
        and all((BIN / name).exists() for name, _ in module.packages)
    )


def _build(module: Module, go: str) -> None:
    say(f"{module.name}: building {', '.join(name for name, _ in module.packages)} with Go")
    folder = HOME / "sources" / module.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    BIN.mkdir(exist_ok=True)
    if module.source:
        shutil.copytree(Path(__file__).parent / "go" / module.source, folder, dirs_exist_ok=True)
    (folder / "go.mod").write_text(_go_mod(module, go))
    how = ("-mod=mod", "-trimpath", "-ldflags", module.flags, "-tags", module.tags)
    for name, package in module.packages:
        _run([go, "build", *how, "-o", str(BIN / name), package], folder)
    (folder / "built").write_text(module.wanted)


def _go_mod(module: Module, go: str) -> str:
    lines = ["module firebreak.dev/cluster", "", "go 1.25.0", *(f"require {one}" for one in module.requires)]
    if module.replaced:
        lines += [f"replace {part} => {part} v0.{KUBERNETES.removeprefix('1.')}" for part in _parts(module, go)]
    return "\n".join(lines) + "\n"


def _parts(module: Module, go: str) -> list[str]:
    """Kubernetes' own parts, of which its go.mod says only that they are beside it."""
    found = json.loads(_run([go, "mod", "download", "-json", module.requires[0].replace(" ", "@")], HOME))
    return re.findall(r"(?m)^\s+(k8s\.io/\S+) => \./staging/", Path(found["GoMod"]).read_text())


def _run(command: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-8:])
        raise ToolError(f"{' '.join(command[:2])} failed in {folder}:\n{tail}")
    return done.stdout


def install_packages() -> None:
    """Makes sure that the programs of PACKAGES are on PATH, by apt-get where there is one; raises ToolError."""
    missing = sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise ToolError(f"install {', '.join(missing)} with your distribution's package manager.")
    say(f"installing with apt-get: {', '.join(missing)}")
    for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"apt-get {words[0]} failed:\n{done.stderr.strip()}")
