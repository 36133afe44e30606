"""A worker that is busy does not keep its host from anything."""

from __future__ import annotations

from pathlib import Path

from tests.contract.runtime.host.conftest import Start


def _group_session_niceness(pid: int) -> tuple[int, int, int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[2]), int(fields[3]), int(fields[16])


async def test_workers_are_nicer_than_their_host_and_share_one_session(start: Start) -> None:
    service = await start(workers=2, spare=0)
    _, session, own = _group_session_niceness(service.process.pid)
    zygote = _group_session_niceness(service.zygote())
    assert zygote == (service.zygote(), service.zygote(), own)
    assert session != service.zygote()
    for worker in service.workers():
        assert _group_session_niceness(worker) == (worker, service.zygote(), own + 5)
