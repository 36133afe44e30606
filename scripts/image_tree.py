"""Parts of an image's file tree: Python without what only development needs, shared libraries, byte code, modes and times."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

# What builds, tests, installs, draws windows or talks to a terminal: nothing in a container does.
NOT_IN_STDLIB = (
    *("test", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "venv", "lib2to3", "distutils", "config-*"),
    *(
        "site-packages",
        "dist-packages",
        "sitecustomize.py",
        "__pycache__",
        "_tkinter*",
        "readline*",
        "_curses*",
        "_dbm*",
    ),
    *("_gdbm*", "_test*", "_ctypes_test*", "_xx*", "xx*", "nis.*", "spwd.*", "*.a", "*.exe"),
)
# What an installer writes about itself: paths of the machine that built, and times.
NOT_IN_PACKAGES = (
    "__pycache__",
    "_virtualenv.*",
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "uv_cache.json",
)
# Every base image with glibc has these, and they must fit its own loader.
OF_GLIBC = re.compile(r"(ld-linux.*|lib(c|m|mvec|dl|rt|pthread|util|resolv|anl|nss_\w+))\.so(\.\d+)*")
ABOUT = """import json, sys, sysconfig
minor, version = "%d.%d" % sys.version_info[:2], sys.version.split()[0]
print(json.dumps([sys._base_executable, sysconfig.get_path("stdlib"), minor, version]))"""


# The order of sets reaches the byte code of Python 3.10. -I would ignore the seed, so the rest of what -I does is here as well.
STEADY = {"PYTHONHASHSEED": "0", "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "LC_ALL": "C.UTF-8"}


class ImageError(Exception):
    """A tree cannot be built; the text says why and what to do."""


@dataclass(frozen=True)
class Interpreter:
    """A Python installation: its program, its standard library, "3.11" and "3.11.7"."""

    program: Path
    stdlib: Path
    minor: str
    version: str


def command(step: str, *words: str | Path) -> str:
    """Runs a program that must succeed and returns its output; raises ImageError. Nothing of the caller's Python counts."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | STEADY
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=env)
    if result.returncode != 0:
        raise ImageError(f"{step} failed:\n{(result.stdout + result.stderr).strip()[-2000:]}")
    return result.stdout


def interpreter(python: Path) -> Interpreter:
    """The installation behind an environment's `python`."""
    program, stdlib, minor, version = json.loads(command("asking Python", python, "-I", "-c", ABOUT))
    return Interpreter(Path(program).resolve(), Path(stdlib), minor, version)


def copy(source: Path, target: Path, without: tuple[str, ...]) -> None:
    """A folder's files as copies: an installer's are links to its cache, which must keep its modes and times."""

    def left_out(_folder: str, names: list[str]) -> set[str]:
        return {name for name in names if any(fnmatch(name, pattern) for pattern in without)}

    shutil.copytree(source, target, ignore=left_out, dirs_exist_ok=True)


def add_module(repository: Path, module: str, packages: Path, without: tuple[str, ...]) -> None:
    """A file, or a folder with all that is in it, at the same place below `packages` as in the repository."""
    source, target = repository / module, packages / module
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        copy(source, target, without)
    else:
        shutil.copyfile(source, target)


def add_python(app: Path, found: Interpreter) -> Path:
    """Python at app/bin and app/lib, which finds itself wherever `app` is; returns the folder for packages."""
    (app / "bin").mkdir(parents=True)
    shutil.copyfile(found.program, app / "bin" / f"python{found.minor}")
    (app / "bin" / f"python{found.minor}").chmod(0o755)
    for name in ("python", "python3"):
        (app / "bin" / name).symlink_to(f"python{found.minor}")
    library = app / "lib" / f"python{found.minor}"
    copy(found.stdlib, library, NOT_IN_STDLIB)
    return library / "site-packages"


def add_libraries(root: Path) -> list[Path]:
    """The shared libraries that programs and modules of the tree need and glibc lacks, where its loader looks by default."""
    binaries = [p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink() and _is_elf(p)]
    folder = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    folder.mkdir(parents=True)
    needed = re.findall(
        r"^\s+(\S+) => (\S.*?)(?: \(0x\w+\))?$", command("looking for libraries", "ldd", *binaries), re.M
    )
    for name, path in sorted(set(needed)):
        if path == "not found":
            print(f"image: {name} is on no path of this machine; a package may bring it by other ways", file=sys.stderr)
        elif not OF_GLIBC.fullmatch(name) and not Path(path).resolve().is_relative_to(root.resolve()):
            shutil.copyfile(path, folder / name)
    return sorted(folder.iterdir())


def _is_elf(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def compile_all(root: Path, app: Path) -> None:
    """Byte code that is never compared with its source's time, and names the paths of the image.

    One process, so that it compiles in the same order each time: what marshal shares depends on what was compiled before.
    """
    words = ("-m", "compileall", "-q", "-f", "-j", "1", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/")
    command("compiling", app / "bin" / "python", "-B", *words, app)


def settle(root: Path, epoch: int) -> None:
    """Modes that no umask changes, and one time, in seconds since 1970, for all."""
    for path in sorted(root.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    root.chmod(0o755)
    os.utime(root, (epoch, epoch))


def manifest(root: Path) -> list[str]:
    """One line for each file and link, sorted by path: mode, SHA-256 of the contents (of a link: what it leads to), path."""
    lines = []
    for path in sorted(p for p in root.rglob("*") if p.is_symlink() or not p.is_dir()):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        mode = "link" if path.is_symlink() else f"{stat.S_IMODE(path.stat().st_mode):04o}"
        lines.append(f"{mode} {hashlib.sha256(content).hexdigest()} /{path.relative_to(root)}")
    return lines
