"""What is in an image, and that it starts where nothing else is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.contract.runtime.host.sandbox import bubblewrap
from tests.images.conftest import Image, build

FORBIDDEN = re.compile(
    r"(pip|setuptools|wheel|ensurepip|distutils|venv|uv|uvx|(ba|da|z|a)?sh|busybox|gcc.*|g\+\+.*|cc|cpp|ld|as|make|2to3|test)"
)
CHECK = (
    "--listen",
    "127.0.0.1:7600",
    "--gateway",
    "gateway:7500",
    "--token-file",
    "/token",
    "--enclose",
    "none",
    "--check",
)


def paths(image: Image) -> set[str]:
    return {line.split(" ", 2)[2] for line in image.manifests[0].splitlines()}


def test_two_builds_are_the_same_byte_for_byte(image: Image) -> None:
    assert image.manifests[0] == image.manifests[1]
    assert len(paths(image)) > 1000


def test_the_manifest_is_sorted_and_has_a_digest_of_every_file(image: Image) -> None:
    lines = image.manifests[0].splitlines()
    listed = [Path(line.split(" ", 2)[2]) for line in lines]
    assert listed == sorted(listed)
    assert all(re.match(r"(0644|0755|link) [0-9a-f]{64} /(app|etc|usr)/", line) for line in lines)


def test_every_file_has_the_time_of_the_epoch(image: Image) -> None:
    assert {path.lstat().st_mtime for path in (image.root, *image.root.rglob("*"))} == {0}


def test_nothing_that_installs_builds_or_is_a_shell(image: Image) -> None:
    library = "/app/lib/python3.11/"
    top = {path.removeprefix(library).removeprefix("site-packages/").split("/")[0] for path in paths(image)}
    programs = {path.rsplit("/", 1)[1] for path in paths(image) if path.startswith(("/app/bin/", "/usr/", "/etc/"))}
    assert not {name for name in top | programs if FORBIDDEN.fullmatch(name)}
    assert {p for p in paths(image) if p.startswith("/app/bin/")} == {f"/app/bin/python{v}" for v in ("", "3", "3.11")}


def test_nothing_of_the_machine_that_built(image: Image) -> None:
    left = re.compile(r"/(RECORD|INSTALLER|direct_url\.json|uv_cache\.json|_virtualenv\.\w+|pyvenv\.cfg)$")
    assert not {path for path in paths(image) if left.search(path)}
    code = next((image.root / "app/lib").glob("python3.11/__pycache__/argparse.*.pyc")).read_bytes()
    assert str(image.root).encode() not in code
    assert b"/app/lib/python3.11/argparse.py" in code
    assert code[4:8] == (1).to_bytes(4, "little")  # by hash, unchecked


def test_an_image_holds_its_own_part_only(images: dict[str, Image]) -> None:
    packages = "app/lib/python3.11/site-packages"
    gateway, calculator = images["gateway"].root, images["calculator"].root
    assert list(gateway.glob(f"{packages}/firebreak/v1/*_pb2_grpc.py"))
    assert list(calculator.glob(f"{packages}/firebreak/v1/*_pb2_grpc.py"))
    assert (gateway / packages / "gateway/__main__.py").exists()
    assert (calculator / packages / "firebreak_runtime/__main__.py").exists()
    assert sorted(path.name for path in (gateway / packages / "cli").glob("[!_]*")) == [
        "egress",
        "egress_lists.py",
        "egress_pod.py",
    ]
    assert not (calculator / packages / "cli").exists()
    assert not (gateway / packages / "firebreak_runtime").exists()
    assert not (calculator / packages / "gateway").exists()
    files = {p.relative_to(calculator / "app/service").as_posix() for p in (calculator / "app/service").rglob("*.*")}
    assert "service.yaml" in files
    assert "calculator/tool.py" in files
    assert not {file for file in files if "requirements" in file or "test" in file}


def test_the_user_has_a_name_and_no_shell(image: Image) -> None:
    users = [line.split(":") for line in (image.root / "etc/passwd").read_text().splitlines()]
    assert [(user[0], user[2]) for user in users] == [("root", "0"), ("nonroot", "65532")]
    assert {user[6] for user in users} == {"/sbin/nologin"}


def test_the_program_starts_wherever_the_tree_is(image: Image) -> None:
    for root in image.roots:
        command = [root / "app/bin/python", "-I", "-B", "-m", image.module, "--help"]
        result = subprocess.run(command, capture_output=True, text=True, env={}, cwd="/", timeout=60)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("usage: ")


def in_container(image: Image, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs in the tree at /, as user 65532, with nothing of this machine but glibc, as on the base of the Dockerfiles."""
    glibc = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2")
    found = [p for folder in Path("/lib").glob("*-linux-gnu") for name in glibc if (p := folder / name).exists()]
    loaders = [*Path("/lib64").glob("ld-linux*"), *Path("/lib").glob("ld-linux*")]
    binds = [word for path in (*found, *loaders) for word in ("--ro-bind", str(path.resolve()), str(path))]
    tree = [word for name in ("app", "etc", "usr") for word in ("--ro-bind", str(image.root / name), f"/{name}")]
    box = [str(bubblewrap()), "--unshare-all", "--uid", "65532", "--gid", "65532", "--proc", "/proc", "--dev", "/dev"]
    command = [*box, *tree, *binds, "--clearenv", "--setenv", "PATH", "/app/bin", "--chdir", "/app", "--", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(bubblewrap() is None, reason="needs bubblewrap (bwrap)")
class TestWhereNothingElseIs:
    def test_the_program_starts(self, image: Image) -> None:
        result = in_container(image, "python", "-I", "-m", image.module, "--help")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("usage: ")

    def test_every_module_that_needs_a_library_finds_it(self, image: Image) -> None:
        names = "ssl, sqlite3, ctypes, lzma, bz2, zlib, uuid, hashlib, grpc, google.protobuf, pydantic_core, orjson"
        result = in_container(image, "python", "-I", "-c", f"import {names}, os; print(os.getuid(), os.__file__)")
        assert (result.stdout, result.stderr) == ("65532 /app/lib/python3.11/os.py\n", "")

    def test_the_service_can_be_loaded(self, images: dict[str, Image]) -> None:
        result = in_container(
            images["calculator"], "python", "-I", "-m", "firebreak_runtime", "--service", "/app/service", *CHECK
        )
        assert result.returncode == 0, result.stderr

    def test_the_gateway_can_judge_a_configuration(self, images: dict[str, Image]) -> None:
        result = in_container(
            images["gateway"], "python", "-I", "-m", "gateway", "--config", "/etc/nothing.yaml", "--check"
        )
        assert result.returncode != 0
        assert "/etc/nothing.yaml" in result.stderr
        assert "Traceback" not in result.stderr

    def test_the_egress_proxy_runs_from_the_gateways_image(self, images: dict[str, Image]) -> None:
        """As far as it goes without a service that may reach anything: it has read the file, and everything was imported."""
        words = ("--service", "/app/nothing.yaml", "--sockets", "/tmp")
        result = in_container(images["gateway"], "python", "-I", "-m", "cli.egress_pod", *words)
        assert (result.returncode, result.stderr) == (
            2,
            "/app/nothing.yaml:1: cannot be read: No such file or directory\n",
        )
        result = in_container(images["gateway"], "python", "-I", "-m", "cli.egress", "--help")
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "env", "reason"),
    [
        (("service", "nothing"), {}, "there is no service nothing; there are: assistant"),
        (("service",), {}, "`service` needs a name"),
        (("gateway", "calculator"), {}, "`gateway` takes none"),
        (
            ("gateway",),
            {"SOURCE_DATE_EPOCH": "today"},
            "SOURCE_DATE_EPOCH must be whole seconds since 1970, not 'today'",
        ),
    ],
)
def test_what_cannot_be_built_is_said(tmp_path: Path, words: tuple[str, ...], env: dict[str, str], reason: str) -> None:
    result = build(*words, "--root", str(tmp_path / "image"), **env)
    assert result.returncode != 0
    assert reason in result.stderr
    assert not (tmp_path / "image").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    result = build("gateway", "--root", str(tmp_path))
    assert result.returncode == 1
    assert "is not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
