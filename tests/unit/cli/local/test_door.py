"""The folder of the gateway's socket is shown to every service, so it holds nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.local.door import shared
from cli.local.layout import Layout
from gateway.adapters.config_files import load

SERVICE = {"name": "x", "kind": "tool", "version": "1.0.0", "entrypoint": "x:x", "effect": "READ"}
DOOR = "unix:.firebreak/run/gateway/gateway.sock"


def look(root: Path, door: str, **changes: Any) -> str:
    listeners = [{"name": "services", "address": door, "accept": ["jwt"]}]
    config = {
        "listeners": listeners + changes.pop("listeners", []),
        "admin": "127.0.0.1:7501",
        "identity": {"session_keys": ".firebreak/identity/session-keys"},
        "policy": {"path": "policies"},
        "services": [{"path": "x"}],
    } | changes
    for folder in ("x", "policies"):
        (root / folder).mkdir()
    (root / "x/service.yaml").write_text(yaml.safe_dump(SERVICE))
    (root / "firebreak.yaml").write_text(yaml.safe_dump(config))
    layout = Layout(root / "firebreak.yaml", root / ".firebreak", root / ".firebreak/envs")
    return shared(layout, load(layout.config), door)


def test_the_shipped_place_is_its_own(tmp_path: Path) -> None:
    assert look(tmp_path, DOOR) == ""


@pytest.mark.parametrize(
    ("door", "what"),
    [
        ("unix:.firebreak/run/gateway.sock", "run"),
        ("unix:gateway.sock", "the configuration"),
        ("unix:.firebreak/gateway.sock", "the state folder"),
        ("unix:policies/gateway.sock", "policies"),
        ("unix:x/gateway.sock", "x"),
    ],
)
def test_one_among_other_things_is_told_with_what_to_do(tmp_path: Path, door: str, what: str) -> None:
    why = look(tmp_path, door)
    assert f"the folder of the listener {door} holds {what} too" in why
    assert f"e.g. {DOOR}" in why


def test_other_sockets_count_as_well(tmp_path: Path) -> None:
    services = [{"path": "x", "address": "unix:.firebreak/run/gateway/x.sock"}]
    assert "the socket of x" in look(tmp_path, DOOR, services=services)


def test_another_listener_counts_as_well(tmp_path: Path) -> None:
    other = {"name": "other", "address": "unix:.firebreak/run/gateway/other.sock", "accept": ["jwt"]}
    assert "another listener" in look(tmp_path, DOOR, listeners=[other])
