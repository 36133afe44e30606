"""The Dockerfiles: nothing in them that only a container engine would find out."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.images.conftest import ROOT

FILES = {"gateway": "gateway/Dockerfile", "firebreak_runtime": "services/Dockerfile"}


def steps(path: str) -> list[tuple[str, str]]:
    """Instructions and their arguments; continued lines are joined, comments left out."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / path).read_text()).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line.strip()]


def last_stage(path: str) -> list[tuple[str, str]]:
    found = steps(path)
    return found[max(i for i, (word, _) in enumerate(found) if word == "FROM") :]


def sources(path: str) -> list[str]:
    """What COPY takes from the repository."""
    copies = [text.split() for word, text in steps(path) if word == "COPY"]
    return [name for words in copies if not words[0].startswith("--from") for name in words[:-1]]


def kept(path: str) -> bool:
    """Whether .dockerignore lets a file through: the last line that fits it, or a folder above it, says so."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = [str(Path(*Path(path).parts[:i])) for i in range(1, len(Path(path).parts) + 1)]
        names = [Path(part).name for part in parts] if "**/" in line else parts
        if line and not line.startswith("#") and any(fnmatch(name, pattern) for name in names):
            ignored = not line.startswith("!")
    return not ignored


@pytest.mark.parametrize(("module", "path"), FILES.items())
class TestEach:
    def test_what_it_copies_is_there_and_let_through(self, module: str, path: str) -> None:
        assert sources(path)
        assert not [name for name in sources(path) if not (ROOT / name).exists() or not kept(name)]

    def test_its_bases_are_arguments_with_a_tag_to_be_pinned_by_digest(self, module: str, path: str) -> None:
        bases = dict(text.split("=", 1) for word, text in steps(path) if word == "ARG" and "IMAGE=" in text)
        used = [text.split()[0] for word, text in steps(path) if word == "FROM"]
        assert used == ["${PYTHON_IMAGE}", "${RUNTIME_IMAGE}"]
        assert all(":" in base and not base.endswith(":latest") for base in bases.values())
        assert "latest" not in (ROOT / path).read_text()

    def test_the_tree_is_built_by_the_script_that_is_tested(self, module: str, path: str) -> None:
        runs = [text for word, text in steps(path) if word == "RUN"]
        what = "gateway" if module == "gateway" else 'service "${SERVICE}"'
        assert runs == [f"SOURCE_DATE_EPOCH=${{SOURCE_DATE_EPOCH}} python3 scripts/image.py {what} --root /image"]

    def test_the_image_holds_the_tree_and_nothing_else(self, module: str, path: str) -> None:
        stage = last_stage(path)
        assert [text for word, text in stage if word in ("COPY", "ADD", "RUN")] == ["--from=build /image/ /"]

    def test_it_runs_the_program_without_rights(self, module: str, path: str) -> None:
        stage = dict(last_stage(path))
        assert stage["USER"] == "65532:65532"
        assert json.loads(stage["ENTRYPOINT"]) == ["/app/bin/python", "-I", "-m", module]
        assert "CMD" not in stage
        assert stage["HEALTHCHECK"] == "NONE"
        assert stage["ENV"].split()[0] == "PATH=/app/bin"
        assert "org.opencontainers.image.title" in stage["LABEL"]


@pytest.mark.parametrize("path", ["gateway/Dockerfile", "services/Dockerfile"])
def test_an_image_finds_the_bases_authorities(path: str) -> None:
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in dict(last_stage(path))["ENV"].split()


@pytest.mark.parametrize(
    ("path", "through"),
    [
        ("gateway/server.py", True),
        ("services/calculator/service.yaml", True),
        ("services/handbook/documents/returns.md", True),
        ("requirements.lock", True),
        ("cli/egress/door.py", True),
        ("cli/egress_pod.py", True),
        ("cli/main.py", False),
        ("cli/local/launcher.py", False),
        (".firebreak/keys/signing.pem", False),
        (".git/config", False),
        (".venv/bin/python", False),
        ("tests/images/conftest.py", False),
        ("policies/data/grants.json", False),
        ("gateway/__pycache__/server.cpython-311.pyc", False),
        ("proto/firebreak/v1/any_pb2.py", False),
    ],
)
def test_the_context_holds_sources_only(path: str, through: bool) -> None:
    assert kept(path) is through
