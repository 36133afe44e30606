"""Tools come from PATH, from Go, or from an official release with the right checksum; never from anywhere else."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("firebreak_scripts_tools", ROOT / "scripts" / "tools.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


tools = load()


def program(file: Path, version: str) -> Path:
    """A program that says its version."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho Version: {version}\n")
    file.chmod(0o755)
    return file


def tool(release: Path | None = None, sha256: str = "") -> object:
    releases = {} if release is None else {tools.platform_name(): tools.Release(release.as_uri(), sha256)}
    return tools.Tool("sample", ("version",), (1, 5), "example.test/sample@v1.5.0", releases)


@pytest.mark.parametrize(("version", "enough"), [("1.5.0", True), ("2.0.1", True), ("1.4.9", False), ("none", False)])
def test_new_enough(tmp_path: Path, version: str, enough: bool):
    assert tools.usable(tool(), program(tmp_path / "sample", version)) is enough


def test_what_is_there_stays(tmp_path: Path):
    program(tmp_path / "bin/sample", "1.6.0")
    assert tools.install(tool(), tmp_path / "bin", path="") == "is there"


def test_linked_from_path(tmp_path: Path):
    found = program(tmp_path / "path/sample", "1.6.0")
    assert "linked" in tools.install(tool(), tmp_path / "bin", path=str(found.parent))
    assert (tmp_path / "bin/sample").resolve() == found


def test_one_on_path_that_is_too_old_is_not_linked(tmp_path: Path):
    program(tmp_path / "path/sample", "1.4.0")
    with pytest.raises(tools.ToolError, match="no release"):
        tools.install(tool(), tmp_path / "bin", path=str(tmp_path / "path"))


def test_built_with_go(tmp_path: Path):
    go = program(tmp_path / "path/go", "0")
    made = "#!/bin/sh\\necho Version: 1.5.0\\n"
    go.write_text(
        f'#!/bin/sh\nprintf "{made}" > "$GOBIN/sample"\nchmod +x "$GOBIN/sample"\necho "$@" > "$GOBIN/asked"\n'
    )
    assert tools.install(tool(), tmp_path / "bin", path=f"{go.parent}:/usr/bin:/bin") == "built with go install"
    assert (tmp_path / "bin/asked").read_text() == "install example.test/sample@v1.5.0\n"


def test_a_build_that_fails_says_why(tmp_path: Path):
    go = program(tmp_path / "path/go", "0")
    go.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    with pytest.raises(tools.ToolError, match="no such module"):
        tools.install(tool(), tmp_path / "bin", path=str(go.parent))


def test_downloaded_with_the_right_checksum(tmp_path: Path):
    release = program(tmp_path / "release", "1.5.0")
    sha256 = hashlib.sha256(release.read_bytes()).hexdigest()
    assert "downloaded" in tools.install(tool(release, sha256), tmp_path / "bin", path="")
    assert tools.usable(tool(), tmp_path / "bin/sample")


def test_another_checksum_is_not_installed(tmp_path: Path):
    release = program(tmp_path / "release", "1.5.0")
    with pytest.raises(tools.ToolError, match="another checksum"):
        tools.install(tool(release, "0" * 64), tmp_path / "bin", path="")
    assert list((tmp_path / "bin").iterdir()) == []


def test_a_release_that_is_not_there(tmp_path: Path):
    with pytest.raises(tools.ToolError, match="cannot be downloaded"):
        tools.install(tool(tmp_path / "nothing", "0" * 64), tmp_path / "bin", path="")


def test_an_unknown_tool_is_named(capsys: pytest.CaptureFixture[str]):
    assert tools.main(["hammer"]) == 2
    assert "hammer" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(tools.TOOLS))
def test_the_table_is_pinned(name: str):
    entry = tools.TOOLS[name]
    assert "@v" in entry.package
    assert all(
        release.address.startswith("https://") and len(release.sha256) == 64 for release in entry.releases.values()
    )
