"""What the images hold, put together from what is installed here: the same programs, at the places of the images."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from tests.programs import needed

ROOT = Path(__file__).resolve().parents[2]
OWN = Path(__file__).parent / "services"
"""Services that only these tests have; they run in the calculator's environment."""
_PYTHON = ("/app/bin/python", "-I", "-m")
_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache", "/etc/ssl/certs")


@dataclass(frozen=True)
class Image:
    """`entrypoint` and `folder` are as in its Dockerfile; `binds` are places of this machine by where the image has them."""

    entrypoint: tuple[str, ...]
    binds: tuple[tuple[Path, str], ...]
    folder: str = "/app"


def image(reference: str) -> Image:
    """The image that a chart's reference, such as "registry/firebreak-gateway:0.1.0", stands for."""
    name = reference.rpartition("/")[2].partition("@")[0].partition(":")[0]
    if name == "opa":
        return Image(("/opa",), ((Path(needed("opa", "OPA")).resolve(), "/opa"),), "/")
    if name == "firebreak-gateway":
        code = ((ROOT / part, str(ROOT / part)) for part in ("gateway", "proto"))
        return Image((*_PYTHON, "gateway"), (*_environment(ROOT / ".venv"), *code))
    return _service(name.removeprefix("firebreak-"))


def _service(name: str) -> Image:
    shipped = ROOT / "services" / name
    folder = shipped if shipped.exists() else OWN / name
    found = ROOT / ".firebreak/envs" / (name if shipped.exists() else "calculator")
    assert found.exists(), f"{found} is not there: run 'python3 scripts/setup.py dev'"
    return Image((*_PYTHON, "firebreak_runtime"), (*_environment(found), (folder, "/app/service")))


def _environment(found: Path) -> tuple[tuple[Path, str], ...]:
    """A virtual environment at /app, with the interpreter that it leads to."""
    parts = tuple((found / part, f"/app/{part}") for part in ("bin", "lib", "pyvenv.cfg"))
    home = (found / "bin/python").resolve().parents[1]
    return (*parts, *(() if home.is_relative_to("/usr") else ((home, str(home)),)))


@functools.cache
def system() -> tuple[str, ...]:
    """Arguments of bubblewrap for what the images have of a system: libraries."""
    found: list[str] = []
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            found += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            found += ["--ro-bind", str(path), str(path)]
    return tuple(found)
