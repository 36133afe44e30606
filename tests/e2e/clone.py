"""A copy of the repository in a folder of its own, in which tests make services."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.instance import ROOT, Instance

STATE = ("wheels", "proto.stamp")
"""What set-up has made here and would make just so in the copy."""


class Clone(Instance):
    """`firebreak up` and `firebreak new` in `folder`, with scripts, policies and state of its own, and these shipped services.

    Their environments and what set-up has built are taken over from here.
    """

    def __init__(self, folder: Path, names: list[str]) -> None:
        super().__init__(folder, [ROOT / "services" / name for name in names])
        shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "proto", folder / "proto", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("runtime", *names):
            shutil.copytree(ROOT / "services" / name, folder / "services" / name)
        for name in ("requirements.in", "requirements.lock"):
            shutil.copy(ROOT / "services" / name, folder / "services")
        shutil.copy(ROOT / "pyproject.toml", folder)
        self._configure(names)
        self._take_over(names)

    def _configure(self, names: list[str]) -> None:
        """The shipped file as it is written, comments too, on ports of its own and with these services."""
        shipped = (ROOT / "firebreak.yaml").read_text()
        head, _, rest = shipped.partition("\nservices:\n")
        tail = rest[rest.index("\n\n") + 1 :]
        for name, port in (("public", 7500), ("mtls", 7502), ("admin", 7501)):
            head = head.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        entries = "".join(f"  - path: services/{name}\n" for name in names)
        self.config.write_text(f"{head}\nservices:\n{entries}{tail}")

    def _take_over(self, names: list[str]) -> None:
        made = ROOT / ".firebreak"
        self.envs = self.state / "envs"
        self.envs.mkdir(parents=True)
        for name in names:
            (self.envs / name).symlink_to(made / "envs" / name)
        (self.state / "tools").symlink_to(made / "tools")
        for name in STATE:
            copy = shutil.copytree if (made / name).is_dir() else shutil.copy
            copy(made / name, self.state / name)

    def new(self, *words: str) -> dict[str, Any]:
        """What `firebreak new … --json` prints when it works."""
        done = self.run("new", *words, "--json")
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in the copy's folder, with time to install."""
        return subprocess.run(
            [ROOT / ".venv/bin/firebreak", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
