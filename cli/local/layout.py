"""Where everything of an instance is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The configuration, the state folder, the services' environments; absolute paths."""

    config: Path
    state: Path
    envs: Path

    @property
    def root(self) -> Path:
        """What the configuration's relative paths are relative to; every process runs here."""
        return self.config.parent

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    def make(self) -> None:
        for folder in (self.state, self.run, self.logs, self.state / "home"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
