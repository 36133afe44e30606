"""Scopes of systemd: what is asked of it, and what it does not keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.local.sandbox.cgroups import Bounds
from cli.local.sandbox.scopes import Scopes

BUS = {"XDG_RUNTIME_DIR": "/run/user/1", "SECRET": "x"}


@pytest.fixture
def scopes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scopes:
    (tmp_path / "systemd-run").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return Scopes("i", BUS, root=False)


async def test_a_process_is_started_in_a_scope_with_its_bounds(scopes: Scopes) -> None:
    group = scopes.group("x.1", Bounds(1024, 0.5, 16))
    entry = group.enter()
    assert entry.prefix[1:5] == ("--user", "--scope", "--quiet", "--collect")
    assert "--unit=firebreak-i-x.1" in entry.prefix
    assert {
        "MemoryMax=1024",
        "MemorySwapMax=0",
        "TasksMax=16",
        "CPUQuota=50%",
        "CPUQuotaPeriodSec=10000us",
        "CPUWeight=25",
    } <= {*entry.prefix}
    assert entry.prefix[-1] == "--"
    assert entry.environment == {"XDG_RUNTIME_DIR": "/run/user/1"}
    await group.leave()
    scopes.clear()


def test_they_are_tried_before_they_are_relied_on(scopes: Scopes) -> None:
    def refuses(command: Sequence[str]) -> str:
        return "Failed to connect to bus: No medium found"

    assert scopes.try_out(lambda _: "") == ""
    assert scopes.missing == {}
    assert "No medium found" in scopes.try_out(refuses)


def test_a_controller_that_systemd_keeps_to_itself_is_missing(scopes: Scopes) -> None:
    assert scopes.try_out(lambda _: "absent: cpu.max") == ""
    assert list(scopes.missing) == ["cpu"]
    assert "Delegate=" in scopes.missing["cpu"]


def test_without_systemd_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "not there" in Scopes("i", {}, root=True).try_out()
