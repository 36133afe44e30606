"""The proxy is started when the first service may reach anything, and told of every change in one step."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cli.local.egress import EgressProxy
from cli.local.layout import Layout
from tests.unit.cli.local.sandbox.places import configured


class Tasks:
    """Runs nothing: what would have been run."""

    def __init__(self) -> None:
        self.made = 0

    def create_task(self, work: Any) -> None:
        self.made += 1
        work.close()


@pytest.fixture
def tasks() -> Tasks:
    return Tasks()


@pytest.fixture
def proxy(tmp_path: Path, tasks: Tasks) -> EgressProxy:
    layout = Layout(tmp_path / "firebreak.yaml", tmp_path / "s", tmp_path / "envs")
    layout.make()
    return EgressProxy(layout, tasks)  # type: ignore[arg-type]


def written(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "s/run/egress.json").read_text())["services"]


async def test_without_egress_there_is_no_proxy(proxy: EgressProxy, tmp_path: Path, tasks: Tasks) -> None:
    proxy.follow([configured()])
    assert (proxy.process, tasks.made) == (None, 0)
    assert not (tmp_path / "s/run/egress.json").exists()


async def test_what_is_allowed_is_written_out(proxy: EgressProxy, tmp_path: Path, tasks: Tasks) -> None:
    hosts = ["docs.example.org", {"to": "http://*.example.org:8080", "private": True}]
    proxy.follow([configured(egress=hosts), configured(name="other")])
    first, second = written(tmp_path)["calculator"]
    assert first == {"scheme": "https", "host": "docs.example.org", "port": 443, "below": False, "private": False}
    assert second == {"scheme": "http", "host": "example.org", "port": 8080, "below": True, "private": True}
    assert list(written(tmp_path)) == ["calculator"]
    assert tasks.made == 1
    assert proxy.process is not None
    words = [str(word) for word in proxy.process.command.arguments]
    assert words[1:] == [
        "-m",
        "cli.egress",
        "--config",
        f"{tmp_path}/s/run/egress.json",
        "--sockets",
        f"{tmp_path}/s/run/egress",
    ]


async def test_it_stays_and_follows_when_the_last_one_is_gone(proxy: EgressProxy, tmp_path: Path, tasks: Tasks) -> None:
    proxy.follow([configured(egress=["example.org"])])
    proxy.follow([configured(egress=["example.org"])])
    proxy.follow([configured()])
    assert written(tmp_path) == {}
    assert tasks.made == 1
    await asyncio.sleep(0)
