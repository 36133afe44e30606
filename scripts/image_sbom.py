"""What is in an image, as CycloneDX 1.6: one component for each package of the lock, with the lock's hashes."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SPACE = uuid.UUID(
    "5c9a7a0e-5a3e-5d0b-9f0b-6f1d5a4b7c11"
)  # ours alone, so that the same content has the same serial number


@dataclass(frozen=True)
class Locked:
    """A package of a lock. `hashes`: SHA-256 of every archive that may be installed. `conditional`: it has a marker."""

    name: str
    version: str
    hashes: tuple[str, ...]
    conditional: bool


@dataclass(frozen=True)
class Own:
    """What is no package of the lock. `kind` as in CycloneDX; `sha256` of a file, else ""."""

    kind: str
    name: str
    version: str = ""
    sha256: str = ""


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(lock: Path) -> list[Locked]:
    """Every package of a hashed lock; ValueError for a line without a hash, which no installation would accept either."""
    text = re.sub(r"(?m)^\s*#.*\n?", "", lock.read_text()).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        package, hashes = re.match(r"([\w.-]+)==([^\s;]+)", line), re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
        if package is None or not hashes:
            raise ValueError(f"{lock.name}: not a pinned package with hashes: {line[:80]}")
        found.append(Locked(normal(package[1]), package[2], tuple(sorted(hashes)), ";" in line))
    return found


def installed(packages: Path) -> dict[str, str]:
    """Names and versions of the distributions in a folder of packages."""
    pairs = (folder.name.removesuffix(".dist-info").rsplit("-", 1) for folder in packages.glob("*.dist-info"))
    return {normal(name): version for name, version in pairs}


def mismatch(lock: Sequence[Locked], found: dict[str, str], own: set[str]) -> str:
    """How an environment differs from its lock, or "". Only a package with a marker may be missing."""
    pinned = {(package.name, package.version) for package in lock}
    strange = sorted(name for name, version in found.items() if name not in own and (name, version) not in pinned)
    missing = sorted(package.name for package in lock if not package.conditional and package.name not in found)
    parts = (("not as in the lock", strange), ("missing", missing))
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)


def sbom(application: Own, lock: Sequence[Locked], found: dict[str, str], own: Sequence[Own], epoch: int | None) -> str:
    """The document as text. The serial number comes from the content; the time is there only where one is given."""
    there = [package for package in lock if found.get(package.name) == package.version]
    packages = [_package(package) for package in sorted(there, key=lambda p: p.name)]
    whole = _own(application) | {"bom-ref": application.name, "components": [_own(item) for item in own]}
    refs = [str(package["bom-ref"]) for package in packages]
    document: dict[str, object] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": whole},
        "components": packages,
        "dependencies": [{"ref": application.name, "dependsOn": refs}],
    }
    serial = uuid.uuid5(SPACE, hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest())
    document["serialNumber"] = f"urn:uuid:{serial}"
    if epoch is not None:
        time = datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
        document["metadata"] = {"timestamp": time, "component": whole}
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _package(package: Locked) -> dict[str, object]:
    purl = f"pkg:pypi/{package.name}@{package.version}"
    hashes = [{"alg": "SHA-256", "content": content} for content in package.hashes]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "purl": purl,
        "hashes": hashes,
    }


def _own(item: Own) -> dict[str, object]:
    component: dict[str, object] = {"type": item.kind, "name": item.name}
    if item.version:
        component["version"] = item.version
    if item.sha256:
        component["hashes"] = [{"alg": "SHA-256", "content": item.sha256}]
    return component
