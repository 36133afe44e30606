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

    @property
    def home(self) -> Path:
        """Folders of services that have no file system of their own."""
        return self.state / "home"

    @property
    def secrets(self) -> Path:
        """A folder for each service, which it may read: whoever runs it puts files there."""
        return self.state / "secrets"

    @property
    def egress(self) -> Path:
        """The egress proxy's sockets, in a folder for each service."""
        return self.run / "egress"

    def make(self) -> None:
        for folder in (self.state, self.run, self.logs, self.home, self.secrets):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
