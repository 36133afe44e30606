#!/usr/bin/env python3
"""Builds the file tree of a container image, with Python's standard library alone and without a container engine.

    python3 scripts/image.py gateway --root DIR
    python3 scripts/image.py service NAME --root DIR
    python3 scripts/image.py … --manifest           print mode, SHA-256 and path of every file as well

The tree goes onto a base that has glibc and nothing else. /app is a complete Python with the packages of the hashed lock,
installed by the same function as in local mode (scripts/setup.py); it works at any path. /app/service is the service's folder,
/app/sbom.json says what is inside. The same sources, locks and Python give the same tree, byte for byte; files' times are
SOURCE_DATE_EPOCH (seconds since 1970; 0 by default).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import image_sbom
import image_tree
import setup
from image_sbom import Own
from image_tree import ImageError

PROXY = ("cli/__init__.py", "cli/egress", "cli/egress_lists.py", "cli/egress_pod.py")
"""The egress proxy, which runs beside a service from the gateway's image; of the command nothing else is there."""
NOT_IN_SERVICE = ("requirements.*", "tests", "test_*.py", "conftest.py", "__pycache__", ".*", "Dockerfile")
PASSWD = "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"


@dataclass(frozen=True)
class Plan:
    """What an image holds: the locks and Python of its environment, our own wheels, and the folder `source`.

    That is a package among the others (`in_packages`), with `modules` of this repository beside it, or else goes to
    /app/service. `python`: "3.12"; None is this one.
    """

    application: Own
    locks: tuple[Path, ...]
    python: str | None
    wheels: tuple[Path, ...]
    source: Path
    in_packages: bool
    modules: tuple[str, ...] = ()


def own_version(folder: Path) -> str:
    """The version that a pyproject.toml gives."""
    return str(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"])


def gateway_plan(uv: Path) -> Plan:
    """The gateway's image; it holds the contract and the egress proxy, but nothing of the runtime."""
    wheels = tuple(wheel for wheel in setup.build_wheels(uv) if wheel.name.startswith("firebreak_proto-"))
    application = Own("application", "firebreak", own_version(setup.ROOT))
    locks = (setup.ROOT / "requirements.lock", setup.ROOT / "requirements-redis.lock")  # replicas share quotas by Redis
    return Plan(application, locks, None, wheels, setup.ROOT / "gateway", True, PROXY)


def service_plan(uv: Path, name: str) -> Plan:
    """A service's image; raises SetupError for one that is not there or has no lock."""
    [folder] = setup.named_services([name])
    lock, python = setup.service_lock(folder), setup.service_python(folder)
    found = re.search(r"(?m)^version:\s*[\"']?([^\s\"'#]+)", (folder / "service.yaml").read_text())
    application = Own("application", f"firebreak-{name}", found[1] if found else "")
    return Plan(application, (lock,), python, setup.build_wheels(uv), folder, False)


def build(plan: Plan, uv: Path, root: Path, epoch: int | None) -> None:
    """Makes the tree at `root`; raises SetupError or ImageError."""
    app = root / "app"
    with tempfile.TemporaryDirectory() as made:
        env, lock = Path(made) / "env", Path(made) / "requirements.lock"
        lock.write_text("\n".join(file.read_text() for file in plan.locks))
        setup.make_env(uv, env, lock, plan.python, plan.wheels)
        python = image_tree.interpreter(env / "bin" / "python")
        packages = image_tree.add_python(app, python)
        image_tree.copy(env / "lib" / f"python{python.minor}" / "site-packages", packages, image_tree.NOT_IN_PACKAGES)
    add_ours(plan, app, packages)
    add_base_files(root)
    image_tree.compile_all(root, app)
    libraries = image_tree.add_libraries(root)
    (app / "sbom.json").write_text(contents(plan, packages, python, libraries, epoch))
    image_tree.settle(root, epoch or 0)


def add_ours(plan: Plan, app: Path, packages: Path) -> None:
    """The gateway among the packages, with the metadata in which it looks up its version; or the service beside them."""
    if not plan.in_packages:
        image_tree.copy(plan.source, app / "service", NOT_IN_SERVICE)
        return
    image_tree.copy(plan.source, packages / plan.source.name, NOT_IN_SERVICE)
    for module in plan.modules:
        image_tree.add_module(setup.ROOT, module, packages, NOT_IN_SERVICE)
    name, version = plan.application.name, plan.application.version
    info = packages / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def add_base_files(root: Path) -> None:
    """The users that exist: Kubernetes asks for the number, programs for the name. Nobody has a shell."""
    (root / "etc").mkdir()
    (root / "etc" / "passwd").write_text(PASSWD)
    (root / "etc" / "group").write_text(GROUP)


def contents(
    plan: Plan, packages: Path, python: image_tree.Interpreter, libraries: list[Path], epoch: int | None
) -> str:
    """The SBOM; raises ImageError where what was installed is not what the lock says."""
    lock = [package for file in plan.locks for package in image_sbom.read_lock(file)]
    found = image_sbom.installed(packages)
    ours = {wheel.name.split("-")[0].replace("_", "-"): wheel.name.split("-")[1] for wheel in plan.wheels}
    if wrong := image_sbom.mismatch(lock, found, {*ours, plan.application.name}):
        names = " and ".join(file.name for file in plan.locks)
        raise ImageError(f"the environment is not what {names} says: {wrong}. Make the lock again: scripts/lock")
    own = [Own("library", name, version) for name, version in sorted(ours.items())]
    files = [Own("file", file.name, "", hashlib.sha256(file.read_bytes()).hexdigest()) for file in libraries]
    return image_sbom.sbom(
        plan.application, lock, found, [*own, Own("platform", "cpython", python.version), *files], epoch
    )


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/image.py", description="Builds the file tree of a container image.")
    parser.add_argument("what", choices=("gateway", "service"))
    parser.add_argument("name", nargs="?", default="", help="the service")
    parser.add_argument("--root", type=Path, required=True, help="folder of the tree: empty, or not there yet")
    parser.add_argument("--manifest", action="store_true", help="print mode, SHA-256 and path of every file")
    given = parser.parse_args(words)
    if bool(given.name) != (given.what == "service"):
        parser.error("`service` needs a name, `gateway` takes none")
    return given


def source_date_epoch() -> int | None:
    """Seconds since 1970 from the environment, None where it says nothing; raises ImageError for anything else."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not text.isdecimal():
        raise ImageError(f"SOURCE_DATE_EPOCH must be whole seconds since 1970, not {text!r}")
    return int(text) if text else None


def main(words: list[str]) -> int:
    given = arguments(words)
    try:
        if given.root.exists() and any(given.root.iterdir()):
            raise ImageError(f"{given.root} is not empty: name a folder that is, or remove it")
        epoch = source_date_epoch()
        with setup.alone():  # only what it shares with other set-ups: uv, generated code and wheels
            uv = setup.find_uv()
            setup.generate(uv)
            plan = gateway_plan(uv) if given.what == "gateway" else service_plan(uv, given.name)
        build(plan, uv, given.root.resolve(), epoch)
    except (setup.SetupError, ImageError, OSError, ValueError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    if given.manifest:
        print("\n".join(image_tree.manifest(given.root)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
