"""Where a launcher's own control group is, in both versions and in containers."""

from __future__ import annotations

from pathlib import Path

from cli.local.sandbox.cgroups import Bounds
from cli.local.sandbox.mounted import Mounted

MOUNTS1 = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
OWN1 = "9:name=systemd:/\n8:pids:/\n4:memory:/user/me\n1:cpu,cpuacct:/\n0::/\n"
MOUNTS2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
BOUNDS = Bounds(1024, 1.5, 16)


def test_version_1_has_a_group_for_each_controller() -> None:
    found = Mounted(MOUNTS1, OWN1).version1()
    assert found is not None
    assert [str(one.base).removeprefix("/sys/fs/cgroup/") for one in found] == ["memory/user/me", "pids", "cpu"]
    assert [dict(one.must(BOUNDS)) for one in found] == [
        {"memory.limit_in_bytes": "1024"},
        {"pids.max": "16"},
        {"cpu.cfs_period_us": "10000", "cpu.cfs_quota_us": "15000"},
    ]
    assert [dict(one.workers(BOUNDS)) for one in found] == [{}, {"pids.max": "12"}, {}]
    assert ("memory.memsw.limit_in_bytes", "1024") in found[0].wish(BOUNDS)


def test_version_2_has_one_for_all() -> None:
    mounted = Mounted(MOUNTS2, "0::/user.slice/app.slice\n")
    assert mounted.version1() is None
    (found,) = mounted.version2() or []
    assert found.base == Path("/sys/fs/cgroup/user.slice/app.slice")
    assert dict(found.must(BOUNDS)) == {"memory.max": "1024", "pids.max": "16", "cpu.max": "15000 10000"}
    assert dict(found.workers(BOUNDS)) == {"pids.max": "12"}
    assert dict(found.wish(BOUNDS)) == {"memory.swap.max": "0"}


def test_a_container_sees_its_own_part_only() -> None:
    part = MOUNTS2.replace(" / /sys", " /docker/abc /sys")
    (found,) = Mounted(part, "0::/docker/abc/inner\n").version2() or []
    assert found.base == Path("/sys/fs/cgroup/inner")
    assert Mounted(part, "0::/elsewhere\n").version2() is None
    assert Mounted("", "0::/\n").version2() is None
    assert Mounted(MOUNTS2, "").version2() is None


def test_where_a_controller_is_missing_version_1_is_none() -> None:
    assert Mounted(MOUNTS1.replace("rw,pids", "rw,blkio"), OWN1).version1() is None
