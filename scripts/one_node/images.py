"""Images without registry and engine: the trees of scripts/image.py, packed as `docker load` and `ctr` take them."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packed import ToolError, say

ROOT = Path(__file__).resolve().parents[2]
_GLIBC = re.compile(r"(ld-linux.*|lib(c|m|dl|pthread|rt|util|resolv|nss_dns|nss_files)\.so\.\d)")
"""What the base of the Dockerfiles has and the trees leave to it."""
REGISTRY = "firebreak.test"
"""Where images are said to be from: a name that nothing answers to."""
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"


def build(name: str, tag: str, archive: Path) -> None:
    """Builds the image of the gateway ("gateway") or of a service as its Dockerfile says, on this machine's glibc."""
    say(f"image of {name}")
    what = ["gateway"] if name == "gateway" else ["service", name]
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        tree = Path(scratch) / "tree"
        command = [sys.executable, str(ROOT / "scripts" / "image.py"), *what, "--root", str(tree)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"the image of {name} cannot be built:\n{done.stderr.strip()}")
        _add_base(tree)
        dockerfile = ROOT / ("gateway" if name == "gateway" else "services") / "Dockerfile"
        pack(tree, read_dockerfile(dockerfile.read_text()), tag, archive)


def build_program(program: Path, tag: str, archive: Path) -> None:
    """Makes the image of one program that needs no libraries; it runs as the user that the base has. Raises ToolError."""
    if not program.exists():
        raise ToolError(f"{program.name} is not built yet: python3 scripts/cluster.py programs")
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        tree = Path(scratch) / "tree"
        tree.mkdir()
        shutil.copy2(program, tree / program.name)
        pack(tree, {"Entrypoint": [f"/{program.name}"], "User": "65532:65532"}, tag, archive)


def _add_base(tree: Path) -> None:
    loaders = [*Path("/lib64").glob("ld-linux*"), *Path("/lib").glob("ld-linux*")]
    libraries = [file for file in Path("/lib").glob("*-linux-gnu/*") if _GLIBC.fullmatch(file.name)]
    for file in {*loaders, *libraries}:
        target = tree / file.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file.resolve(), target)
    (tree / "etc" / "nsswitch.conf").write_text(NSSWITCH)
    (tree / "tmp").mkdir(mode=0o1777)


def read_dockerfile(text: str) -> dict[str, Any]:
    """How the last stage of a Dockerfile says that its image is run, as an image's configuration has it."""
    stage = re.sub(r"(?m)^\s*#.*\n", "", text).replace("\\\n", " ").rpartition("\nFROM ")[2]
    said = dict(line.split(" ", 1) for line in stage.splitlines()[1:] if " " in line)
    return {
        "Entrypoint": json.loads(said["ENTRYPOINT"]),
        "Env": said["ENV"].split(),
        "User": said["USER"],
        "WorkingDir": said["WORKDIR"],
    }


def pack(tree: Path, config: Mapping[str, Any], tag: str, archive: Path) -> None:
    """Writes an image of one layer; everything in it belongs to root."""
    layer = archive.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        tar.add(tree, ".", filter=_of_root)
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    image = {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        tar.add(layer, "layer.tar")
        for name, content in (("config.json", image), ("manifest.json", manifest)):
            _add_json(tar, name, content)
    layer.unlink()


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _add_json(tar: tarfile.TarFile, name: str, content: object) -> None:
    data = json.dumps(content).encode()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
