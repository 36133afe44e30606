"""A process's things are made where they are missing; what no service may see is refused in words."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from cli.local.layout import Layout
from cli.local.placing import check_reads, place
from tests.unit.cli.local.sandbox.places import configured


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "firebreak.yaml", tmp_path / "s", tmp_path / "envs")
    layout.make()
    (tmp_path / "envs/.x.1").mkdir(parents=True)
    (tmp_path / "envs/x").symlink_to(".x.1")
    return layout


def test_folders_of_its_own_are_private_and_absolute(layout: Layout) -> None:
    config = configured(egress=["example.org"])
    token = layout.state / "identity/services-tokens/calculator/token"
    found = place(
        layout, "services/calculator", config, "unix:run/c.1/serve.sock", "unix:door/g.sock", token, layout.envs / "x"
    )
    assert found.service == layout.root / "services/calculator"
    assert found.env == layout.envs / ".x.1"
    assert (found.own, found.door) == (layout.root / "run/c.1", layout.root / "door/g.sock")
    assert (found.secrets, found.egress) == (layout.state / "secrets/calculator", layout.run / "egress/calculator")
    for folder in (found.secrets, found.egress, found.home):
        assert folder is not None
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_one_on_a_port_listens_in_no_folder(layout: Layout) -> None:
    found = place(layout, "x", configured(), "127.0.0.1:7600", "unix:door/g.sock", Path("/t/token"), layout.envs / "x")
    assert (found.own, found.listen, found.egress) == (None, "127.0.0.1:7600", None)


def test_what_is_not_there_or_not_to_be_seen_is_refused(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "keys").symlink_to(layout.state / "identity")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "d.sock"))
    for name, why in (
        ("gone", "is not there"),
        ("d.sock", "through the gateway only"),
        ("s/identity", "keeps its keys"),
        ("s", "keeps its keys"),
    ):
        (layout.state / "identity").mkdir(exist_ok=True)
        with pytest.raises(ValueError, match=f"reads: {tmp_path / name}.*{why}"):
            check_reads([tmp_path / "data", tmp_path / name], layout.state)
    with pytest.raises(ValueError, match="keeps its keys"):
        check_reads([tmp_path / "keys"], layout.state)
    check_reads([tmp_path / "data"], layout.state)
