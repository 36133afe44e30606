"""Services of the day of which an instance has a copy of its own: under another name, or to be edited while they run."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from cli.gameday.instance import ROOT, PrivateInstance

SERVICES = Path(__file__).parent / "services"


def guest(instance: PrivateInstance, source: str, name: str = "", env: Path | None = None) -> Path:
    """Copies the day's service `source` into the instance's folder and configures it as `name`, in this environment or the
    calculator's. Answers its folder. Only before the instance starts."""
    folder = instance.folder / "guests" / (name or source)
    shutil.copytree(SERVICES / source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "service.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"name": folder.name}))
    entry = {"path": str(folder), "address": f"unix:.firebreak/run/{folder.name}.sock"}
    instance.configure(lambda config: config["services"].append(entry))
    instance.serve(folder, env)
    return folder


def environment(name: str) -> Path:
    """The environment that set-up made for a shipped service or for tests."""
    return ROOT / ".firebreak/envs" / name
