"""The Python installation that an environment is made from: an environment alone holds no interpreter."""

from __future__ import annotations

import os
from pathlib import Path

_PARTS = ("bin", "lib", "lib64", "ssl")
"""Of an installation's folder: one that is shared with other things, a home's `.local`, is not shown as a whole."""
_LONGEST_CHAIN = 16


def python_folders(env: Path) -> tuple[Path, ...]:
    """Folders that the environment's interpreter needs, by every name under which it is looked for; absolute, sorted."""
    found = {home for home in _homes(env) if home != env}
    return tuple(sorted({home / part for home in found for part in _PARTS if (home / part).is_dir()}))


def _homes(env: Path) -> set[Path]:
    """Installations on the way from the environment's `python` to the real one, and the one that pyvenv.cfg names."""
    homes, link = set(), env / "bin" / "python"
    for _ in range(_LONGEST_CHAIN):
        if not link.is_symlink():
            break
        link = Path(os.path.normpath(link.parent / link.readlink()))
        homes.add(link.parent.parent)
    homes.add(Path(os.path.realpath(link)).parent.parent)
    if (named := _home_of(env / "pyvenv.cfg")) is not None:
        homes |= {named.parent, named.resolve().parent}
    return homes


def _home_of(config: Path) -> Path | None:
    try:
        lines = config.read_text().splitlines()
    except OSError:
        return None
    pairs = (line.partition("=") for line in lines)
    return next((Path(value.strip()) for key, _, value in pairs if key.strip() == "home"), None)
