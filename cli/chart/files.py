"""Values files: what somebody chose in one, whether it is stale, and writing it all at once."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cli.chart.text import ChartError

FOLDER = Path("charts/values")
"""Where values are kept, beside firebreak.yaml."""


@dataclass(frozen=True)
class Values:
    """One values file as it would be made now: its `text`, the `file` it is for if any, and the commands that install it."""

    name: str
    text: str
    install: tuple[str, ...]
    file: Path | None = None

    @property
    def content(self) -> Any:
        return yaml.safe_load(self.text)

    def stale(self) -> str:
        """What differs in the file, as a unified diff; "" where it says the same, however it is written."""
        assert self.file is not None  # who checks has named a file
        before = self.file.read_bytes().decode() if self.file.exists() else ""
        if before and yaml.safe_load(before) == self.content:
            return ""
        names = (str(self.file), f"{self.file} as it would be made now")
        return "".join(difflib.unified_diff(_lines(before), _lines(self.text), *names))


def kept(file: Path | None) -> Mapping[str, Any]:
    """What the values file says, {} where there is none. Raises ChartError where it is none that can be read."""
    if file is None or not file.exists():
        return {}
    try:
        value = yaml.safe_load(file.read_bytes().decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ChartError(f"{file} is no valid YAML, mend or delete it: {error}") from None
    if value is not None and not isinstance(value, dict):
        raise ChartError(f"{file} is no values file: it must be a mapping; mend or delete it")
    return value or {}


def write(file: Path, text: str) -> None:
    """All at once, with the folder where that is missing: a reader finds the old content or the new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(text.encode())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
