"""Real sandboxes: what a process that the launcher started sees and can do, from inside."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.launcher.box import ENV, ROOT, Box


async def test_it_sees_its_own_files_and_no_others(box: Box) -> None:
    code = f"""
told['root'] = sorted(os.listdir('/'))
told['service'] = os.listdir({str(box.place.service)!r})
told['beside'] = os.listdir({str(box.root)!r})
told['token'] = open('/run/firebreak/identity/token').read()
told['firebreak'] = sorted(os.listdir('/run/firebreak'))
told['there'] = [p for p in ('/etc/shadow', '/root/.ssh', '/home', '/sys', '/var', '/run/docker.sock',
                 {str(box.root / "state")!r}, {str(ROOT / "gateway")!r}) if os.path.exists(p)]
told['python'] = sys.version_info[0]
"""
    told = await box.tell(code)
    assert {"usr", "proc", "dev", "etc", "tmp", "run"} <= {*told["root"]}
    assert not {"sys", "home", "var", "boot", "mnt"} & {*told["root"]}
    assert told["service"] == ["tool.py"]
    assert told["beside"] == ["service"]
    assert told["token"] == "secret"
    assert told["firebreak"] == ["door", "identity", "locked", "own", "secrets"]
    assert told["there"] == []


async def test_what_it_may_read_is_there_and_the_state_in_it_is_not(box: Box) -> None:
    (box.root / "data/rows").write_text("rows")
    code = f"""
told['rows'] = open({str(box.root / "data/rows")!r}).read()
told['beside'] = sorted(os.listdir({str(box.root)!r}))
told['state'] = os.listdir({str(box.root / "state")!r})
"""
    told = await box.tell(code, reads=[str(box.root)])
    assert told["rows"] == "rows"
    assert {"data", "state"} <= {*told["beside"]}
    assert told["state"] == []


async def test_it_can_write_only_where_it_is_bounded(box: Box) -> None:
    there = box.place
    refused = [
        there.service / "x", there.service / "tool.py", ENV / "x", "/x", "/usr/x", "/etc/passwd", "/dev/x", "/run/firebreak/x",
        "/run/firebreak/identity/token", "/run/firebreak/door/x", "/proc/sys/kernel/core_pattern", box.root / "x",
    ]  # fmt: skip
    writable = ["/tmp/x", "/dev/shm/x", "/run/firebreak/own/x", "/run/firebreak/locked/x"]
    code = f"""
for path in {[str(path) for path in (*refused, *writable)]!r}:
    try:
        open(path, 'w').close()
        told[path] = 0
    except OSError as error:
        told[path] = error.errno
"""
    told = await box.tell(code)
    assert {path for path, how in told.items() if how == 0} == {*writable}
    assert {how for how in told.values() if how} == {errno.EROFS}


async def test_the_code_of_a_service_below_tmp_cannot_be_moved_away(box: Box) -> None:
    first = Path("/", *box.root.parts[1:3])
    code = f"""
try:
    os.rename({str(first)!r}, '/tmp/aside')
except OSError as error:
    told['refused'] = error.errno
"""
    if not box.root.is_relative_to("/tmp"):
        pytest.skip("the folder of tests is not below /tmp here")
    assert (await box.tell(code))["refused"]


async def test_what_it_writes_is_bounded(box: Box) -> None:
    code = """
for folder in ('/tmp', '/dev/shm', '/run/firebreak/locked'):
    written = 0
    try:
        with open(folder + '/fill', 'wb', buffering=0) as file:
            while written < 64 * 1024**2:
                written += file.write(bytes(65536))
    except OSError as error:
        told[folder] = (written <= 4 * 1024**2, error.errno)
"""
    told = await box.tell(code, sandbox={"scratch": "4MiB"})
    assert told == {folder: [True, 28] for folder in ("/tmp", "/dev/shm", "/run/firebreak/locked")}


async def test_it_has_no_network_and_reaches_no_socket_of_this_machine(box: Box) -> None:
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as named:
        for made, address in ((tcp, ("127.0.0.1", 0)), (abstract, f"\0{box.root}"), (named, str(box.root / "x.sock"))):
            made.bind(address)
            made.listen()
        code = f"""
for family, address in ((socket.AF_INET, ('127.0.0.1', {tcp.getsockname()[1]})), (socket.AF_INET, ('1.1.1.1', 443)),
                        (socket.AF_UNIX, '\\0' + {str(box.root)!r}), (socket.AF_UNIX, {str(box.root / "x.sock")!r})):
    with socket.socket(family) as made:
        made.settimeout(2)
        try:
            made.connect(address)
        except OSError as error:
            told[str(address)] = type(error).__name__
told['interfaces'] = [name for _, name in socket.if_nameindex()]
"""
        told = await box.tell(code)
    assert told.pop("interfaces") == ["lo"]
    assert len(told) == 4


async def test_the_gateways_door_and_its_own_socket_work_through_the_walls(box: Box) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(box.place.door))
        door.listen()
        code = """
with socket.socket(socket.AF_UNIX) as made:
    made.connect('/run/firebreak/door/gateway.sock')
    told['door'] = True
listening = socket.socket(socket.AF_UNIX)
listening.bind('/run/firebreak/own/serve.sock')
"""
        assert (await box.tell(code))["door"]
    assert (box.root / "own/serve.sock").is_socket()


async def test_no_other_process_is_there_and_nothing_is_inherited(box: Box) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    code = """
told['processes'] = [name for name in os.listdir('/proc') if name.isdecimal()]
told['pid'] = os.getpid()
told['environment'] = dict(os.environ)
links = [f'/proc/self/fd/{name}' for name in os.listdir('/proc/self/fd')]
told['descriptors'] = [os.readlink(link) for link in links if os.path.islink(link)]
told['status'] = open('/proc/self/status').read()
told['name'] = socket.gethostname()
told['user'] = [os.getuid(), os.getgid()]
"""
    try:
        told = await box.tell(code)
    finally:
        os.close(read)
        os.close(write)
    assert (told["processes"], told["pid"]) == (["1"], 1)
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"}
    assert told["environment"] == variables | {"PWD": str(box.place.service)}
    # Three of its own, and where groups can be made the way into the one of its workers.
    assert len([path for path in told["descriptors"] if not path.endswith("/workers/cgroup.procs")]) == 3
    assert len(told["descriptors"]) <= 4
    capabilities = [line.split()[1] for line in told["status"].splitlines() if line.startswith("Cap")]
    assert set(capabilities) == {"0000000000000000"}
    assert "NoNewPrivs:\t1" in told["status"]
    assert told["name"] == "calculator"
    assert told["user"] == [65534, 65534]


async def test_it_gets_no_further_namespace(box: Box) -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
told['unshared'] = libc.unshare(0x10000000)
told['mounted'] = libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)
"""
    told = await box.tell(code)
    assert told == {"unshared": -1, "mounted": -1}


async def test_without_a_sandbox_the_service_runs_all_the_same(box: Box) -> None:
    bare = replace(box.walls, box=None, why_not="no bwrap")
    box.walls = bare
    told = await box.tell("told['home'] = os.environ['HOME']; told['pid'] = os.getpid()")
    assert told["home"] == str(box.place.home)
    assert told["pid"] != 1
