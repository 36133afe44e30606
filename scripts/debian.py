"""Programs that come in packages of Debian: apt checks the signature of what it fetches, and only the program is used.

Needs no root, changes nothing of the system, and does not rely on how old the system's own lists of packages are.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packed import ToolError, output, say


@dataclass(frozen=True)
class Package:
    """A package's name, and where the program is in it. Its version is that of the Debian release."""

    name: str
    program: str


def unpack(package: Package, home: Path, advice: str, path: str | None = None) -> Path:
    """Puts the package's program into `home` and returns it; raises ToolError, with `advice`. `path` replaces PATH."""
    apt, dpkg = (shutil.which(name, path=path) for name in ("apt-get", "dpkg-deb"))
    if apt is None or dpkg is None:
        raise ToolError(f"{home.name} comes from Debian's package {package.name}, and there is no apt here. {advice}")
    say(f"{home.name}: installing it from Debian's package {package.name}")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        try:
            made = _fetch(package, Path(scratch), apt, dpkg)
        except subprocess.CalledProcessError as error:
            raise ToolError(f"{home.name} cannot be installed:\n{error.stderr.strip()}\n{advice}") from None
        if not made.is_file():
            raise ToolError(f"Debian's package {package.name} holds no {package.program}. {advice}")
        home.mkdir(exist_ok=True)
        return made.replace(home / made.name)


def _fetch(package: Package, scratch: Path, apt: str, dpkg: str) -> Path:
    """Where the program is in `scratch`, if the package holds it; raises CalledProcessError."""
    folders = [f"-oDir::State::Lists={scratch}/lists", f"-oDir::Cache={scratch}/cache"]
    # As root, apt would hand downloads to a user who cannot write here.
    options = ["-qq", *folders, "-oAPT::Sandbox::User=root", "-oAcquire::Languages=none"]
    for folder in ("lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    output(apt, *options, "update")
    output(apt, *options, "download", package.name, folder=scratch)
    file = next(scratch.glob("*.deb"))
    output(dpkg, "--extract", str(file), str(scratch / "unpacked"))
    return scratch / "unpacked" / package.program
