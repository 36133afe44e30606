"""What zygote and workers leave to their host, whatever the service does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from firebreak_runtime import control

from tests.contract.runtime.host.conftest import Start, settings
from tests.contract.runtime.host.running import until

ZYGOTE = Path(__file__).with_name("zygote_entry.py")


async def test_the_zygote_enters_the_group_and_no_worker_has_the_way_into_it(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "cgroup.procs"
    with file.open("w") as group:
        service = await start(options={"workers-group": group.fileno()})
    assert file.read_text() == "0", "whoever writes it"

    def has(pid: int) -> bool:
        links = [*Path(f"/proc/{pid}/fd").iterdir()]
        return any(os.path.lexists(link) and os.readlink(link) == str(file) for link in links)

    assert [has(pid) for pid in (service.zygote(), *service.workers())] == [False] * (1 + len(service.workers()))
    assert has(service.process.pid), "for the next zygote"


async def test_where_the_group_cannot_be_entered_the_service_is_served_all_the_same(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "cgroup.procs").touch()
    with (tmp_path / "cgroup.procs").open() as group:  # not to be written to
        service = await start(options={"workers-group": group.fileno()})
    assert await service.text(do="echo") == "echo"
    await until(lambda: "one control group with their host" in service.log.read_text())


@pytest.mark.parametrize("processes", [0, 48])
def test_the_zygote_bounds_what_it_starts(tmp_path: Path, processes: int) -> None:
    """Of an ordinary user: the kernel does not count root's."""
    (tmp_path / "service.yaml").write_text(json.dumps(settings("plain")))
    ours, theirs = control.pair()
    arguments = ["--service", tmp_path, "--gateway", "unix:none", "--token-file", "none"]
    arguments += ["--control", theirs.fileno(), "--parent", os.getpid(), "--processes", processes]
    zygote = subprocess.Popen([sys.executable, "-I", ZYGOTE, *map(str, arguments)], pass_fds=[theirs.fileno()])
    try:
        packet = control.receive(ours)
        assert packet is not None
        assert "loaded" in packet.body
        lines = Path(f"/proc/{zygote.pid}/limits").read_text().splitlines()
        (limits,) = (line.split()[2:4] for line in lines if line.startswith("Max processes"))
        assert (limits == ["48", "48"]) is (processes == 48)
        for descriptor in packet.fds:
            os.close(descriptor)
    finally:
        ours.close()
        theirs.close()
        zygote.wait(10)
