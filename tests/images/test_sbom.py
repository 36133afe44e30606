"""The SBOM says what is in the image: the lock's packages, each with the lock's hashes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from scripts.image_sbom import Locked, Own, mismatch, read_lock, sbom
from tests.images.conftest import Image

SERVICES = Path(__file__).resolve().parents[2] / "services"
LOCKED = (Locked("one", "1.0", ("a" * 64,), False), Locked("windows-only", "2.0", ("b" * 64,), True))


def expected(locks: tuple[Path, ...]) -> dict[tuple[str, str], set[str]]:
    """Packages of the locks for this machine, with their hashes, read another way than the program reads them."""
    found = {}
    for entry in re.split(
        r"\n(?=[a-z0-9])", re.sub(r"(?m)^ *#.*$", "", "\n".join(lock.read_text() for lock in locks)).strip()
    ):
        requirement = Requirement(entry.split("\\")[0])
        if requirement.marker is None or requirement.marker.evaluate():
            version = str(requirement.specifier).removeprefix("==")
            found[requirement.name, version] = set(re.findall("sha256:([0-9a-f]+)", entry))
    return found


def document(image: Image) -> Any:
    return json.loads((image.root / "app/sbom.json").read_text())


def test_it_lists_exactly_the_packages_of_the_lock_with_their_hashes(image: Image) -> None:
    components = document(image)["components"]
    listed = {(c["name"], c["version"]): {h["content"] for h in c["hashes"]} for c in components}
    assert listed == expected(image.locks)
    assert {h["alg"] for c in components for h in c["hashes"]} == {"SHA-256"}
    assert [c["purl"] for c in components] == [f"pkg:pypi/{c['name']}@{c['version']}" for c in components]
    assert len(components) == len(listed)


def test_it_names_what_is_ours_and_python_and_libraries(image: Image) -> None:
    whole = document(image)["metadata"]["component"]
    parts = {part["name"]: part for part in whole["components"]}
    assert whole["name"] == ("firebreak" if image.module == "gateway" else "firebreak-calculator")
    assert re.fullmatch(r"\d+\.\d+\.\d+", whole["version"])
    assert ("firebreak-runtime" in parts) == (image.module != "gateway")
    assert parts["cpython"]["version"].startswith("3.11.")
    assert {name for name, part in parts.items() if part["type"] == "file"} == {
        p.name for p in image.root.glob("usr/lib/*/*")
    }


def test_it_is_cyclonedx_without_a_time(image: Image) -> None:
    made = document(image)
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["serialNumber"])
    assert "timestamp" not in made["metadata"]
    [root] = made["dependencies"]
    assert set(root["dependsOn"]) == {component["bom-ref"] for component in made["components"]}


def test_the_time_is_the_one_that_was_given_and_no_part_of_the_serial_number() -> None:
    one, other = (
        json.loads(sbom(Own("application", "a", "1"), LOCKED, {"one": "1.0"}, (), at)) for at in (None, 86400)
    )
    assert other["metadata"]["timestamp"] == "1970-01-02T00:00:00Z"
    assert one["serialNumber"] == other["serialNumber"]
    another = json.loads(sbom(Own("application", "a", "2"), LOCKED, {"one": "1.0"}, (), None))
    assert another["serialNumber"] != one["serialNumber"]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({"one": "1.0"}, ""),
        ({"one": "1.0", "ours": "3"}, ""),
        ({"one": "1.1"}, "not as in the lock: one"),
        ({"one": "1.0", "stray": "1"}, "not as in the lock: stray"),
        ({}, "missing: one"),
    ],
)
def test_an_environment_that_is_not_its_lock_is_noticed(found: dict[str, str], wrong: str) -> None:
    assert mismatch(LOCKED, found, {"ours"}) == wrong


@pytest.mark.parametrize("lock", sorted(SERVICES.glob("*/requirements.lock")), ids=lambda lock: lock.parent.name)
def test_what_a_services_lock_installs_here_is_as_in_the_lock_and_listed_once(lock: Path) -> None:
    # Some name a package twice, each version for other Pythons.
    pinned, here = read_lock(lock), list(expected((lock,)))
    found = dict(here)
    assert mismatch(pinned, found, set()) == ""
    components = json.loads(sbom(Own("application", "a", "1"), pinned, found, (), None))["components"]
    assert sorted((each["name"], each["version"]) for each in components) == sorted(here)


@pytest.mark.parametrize("text", ["one==1.0\n", "one>=1 --hash=sha256:" + "a" * 64, "-e ."])
def test_a_lock_without_versions_or_hashes_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.lock").write_text(text)
    with pytest.raises(ValueError, match=r"requirements\.lock: not a pinned package with hashes"):
        read_lock(tmp_path / "requirements.lock")
