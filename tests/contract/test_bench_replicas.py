"""bench.replicas with real programs, for as short as it goes: every figure is there, and every process ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import bearing, cost, fleet, footprint, replicas, saturation
from bench.findings import Findings, as_json, as_text
from bench.fleet import Fleet, Gateway
from bench.shapes import FULL, SHARED
from tests.contract.journal.postgres_server import find_postgresql
from tests.contract.policy.opa_server import find_opa
from tests.contract.quotas.redis_server import find_redis

SHORT = 0.1


@pytest.fixture
def running(sockets: Path) -> Iterator[Fleet]:
    for find in (find_opa, find_redis, find_postgresql):
        find()
    with fleet.running(sockets) as made:
        yield made
    assert not any(Path(f"/proc/{pid}").exists() for pid in (made.backend, made.redis.pid, made.postgresql.pid))


async def measured(running: Fleet, gateways: list[Gateway]) -> Findings:
    shared, full = gateways
    return Findings(
        costs=await cost.measure(running, gateways, SHORT),
        ramps=[await saturation.ramp(running, [shared], SHORT)],
        memory=await footprint.measure(running, full, calls=(10, 20), connections=5),
        redis=await bearing.redis(running, SHORT),
        rows={"required": await asyncio.to_thread(bearing.rows, running, "required", SHORT)},
    )


async def test_every_figure_is_measured_and_every_process_ends(running: Fleet) -> None:
    with running.gateways([SHARED, FULL]) as gateways:
        found = await measured(running, gateways)
        pids = [pid for gateway in gateways for pid in (gateway.pid, gateway.opa) if pid]
    assert len(pids) == 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    shared, full = found.costs
    for each in (shared, full):
        assert min(each.call, each.event, each.redis, each.postgresql) > 0
        assert each.questions == pytest.approx(2, abs=0.5)  # its caller's and its target's bucket
    assert (shared.opa, full.opa > 0) == (0, True)
    assert found.ramps[0].best > 0
    assert found.ramps[0].pinned == (len(os.sched_getaffinity(0)) > 1)
    assert list(found.memory) == ["at rest", "10 calls in flight", "20 calls in flight", "5 connections"]
    assert min(found.memory.values()) > 30 * 2**20
    assert min(found.redis.asked, found.redis.question, found.rows["required"]) > 0
    text = as_text(found)
    assert "| everything | " in text
    assert "1 × redis+journal" in text
    assert [each["shape"] for each in as_json(found)["costs"]] == ["redis+journal", "everything"]


def test_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["replicas", "--help"])
    with pytest.raises(SystemExit, match="0"):
        replicas.main()
    assert "python -m bench.replicas --seconds 5" in capsys.readouterr().out


@pytest.mark.parametrize("seconds", ["0", "61", "nan"])
def test_it_is_bounded(seconds: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["replicas", "--seconds", seconds])
    with pytest.raises(SystemExit, match="2"):
        replicas.main()
    assert "more than 0 and at most 60" in capsys.readouterr().err


def test_a_missing_program_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bench.programs.BIN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["replicas", "--seconds", "60"])
    with pytest.raises(SystemExit, match="2"):
        replicas.main()
    assert "redis-server is not installed: run 'make tools'" in capsys.readouterr().err
