"""The walls around a host, on the real kernel: each thing that they refuse is tried, and each thing that is needed goes on."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime import landlock
from firebreak_runtime.syscalls import CALLS

from tests.contract.runtime import needs

ENCLOSED = Path(__file__).with_name("enclosed.py")
NOBODY = 65534
USERS: tuple[dict[str, int], ...] = ({}, {"user": NOBODY}) if os.getuid() == 0 else ({},)
"""Who tries: whoever runs the tests, and if that is root an ordinary user too."""
MACHINE, ABI = platform.machine(), landlock.abi()
PLAN: dict[str, Any] = {
    "readable": ["/", "/does/not/exist"],
    "writable": ["/tmp", "/dev/shm"],
    "sockets": [],
    "processes": 200,
    "ports": (),
    "listens": (),
    "required": False,
}
NEEDS = [name for name, need in vars(needs).items() if getattr(need, "__module__", "") == needs.__name__]
NUMBERS = {call.name: call.numbers[MACHINE] for call in CALLS if MACHINE in call.numbers}
SECCOMP = 317 if MACHINE == "x86_64" else 277
FAR, MPTCP = 40, 262
"""AF_VSOCK; a protocol of stream sockets that connects past Landlock."""

users = pytest.mark.parametrize("who", USERS, ids=lambda who: "ordinary" if who else "me")
needs_landlock = pytest.mark.skipif(ABI < 6, reason="the kernel's Landlock is older than what is tried here")


def enclosed(**request: Any) -> dict[str, Any]:
    """What `enclosed` tells; see there."""
    return _told(json.dumps(request)).copy()


@functools.cache
def _told(request: str) -> dict[str, Any]:
    # Numbers are computed in one thread, as the runtime has it: no thread may be there before the walls.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(ENCLOSED), request], capture_output=True, text=True, env=environment, timeout=100
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def tried(*tries: list[Any], **request: Any) -> list[str]:
    """What came of the tries, in their order."""
    told = enclosed(tries=tries, **request)
    return [told[" ".join(map(str, each))] for each in tries]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Folders `open`, `own` and `shut` that every user of the machine may change, outside of /tmp's rule in the plans here."""
    path = Path(tempfile.mkdtemp(prefix="fb-", dir="/var/tmp"))
    path.chmod(0o777)
    for name in ("open", "own", "shut"):
        (path / name).mkdir()
        (path / name).chmod(0o777)
        (path / name / "file").write_text("text")
        (path / name / "file").chmod(0o666)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def plan(folder: Path, **more: Any) -> dict[str, Any]:
    return {**PLAN, "writable": [str(folder / "open")], "sockets": [str(folder / "own")], **more}


@users
@pytest.mark.parametrize("tcp", [{}, {"ports": (3128,)}, {"listens": (7600,)}], ids=["none", "proxy", "listener"])
def test_the_walls_stand_and_are_claimed(who: dict[str, int], tcp: dict[str, tuple[int, ...]]) -> None:
    told = enclosed(plan={**PLAN, **tcp, "required": ABI > 0}, **who)
    wanted = ["limits", "privileges", "landlock", "syscalls"] + ([] if tcp else ["network"])
    assert told["promises"] == [promise for promise in wanted if promise != "landlock" or ABI > 0]
    assert set(told["missing"]) - {"landlock"} == {"tasks"}


@users
@pytest.mark.parametrize("need", NEEDS)
def test_what_is_needed_works(who: dict[str, int], need: str) -> None:
    told = enclosed(plan=PLAN, tries=[[each] for each in NEEDS], **who)
    assert told[need] == "worked"


@users
def test_calls_that_the_filter_is_for_are_refused(who: dict[str, int]) -> None:
    told = enclosed(plan=PLAN, calls=list(NUMBERS.values()), **who)
    for call in CALLS:
        if MACHINE in call.numbers and call.answer != "judged":
            wanted = "EPERM" if call.answer == "refused" else "ENOSYS"
            assert told[str(call.numbers[MACHINE])] == wanted, call.name


@users
def test_it_is_the_filter_that_refuses(who: dict[str, int]) -> None:
    """Without it the kernel lets an ordinary process have these."""
    names = ["unshare", "ptrace", "keyctl", "process_vm_readv", "kcmp", "name_to_handle_at", "add_key", "personality"]
    told = enclosed(plain=True, calls=[NUMBERS[name] for name in names], **who)
    assert not [name for name in names if told[str(NUMBERS[name])] in ("EPERM", "ENOSYS")]


TRICKS = {
    "new_user_namespace": "EPERM",
    "clone_with_namespace": "EPERM",
    "clone_without_namespace": "worked",
    "be_traced": "EPERM",
    "read_own_memory": "EPERM",
    "other_personality": "EPERM",
    "same_personality": "worked",
    "type_into_terminal": "EPERM",
    "ask_for_size": "worked",
    "regain_capability": "EPERM",
}


@users
def test_calls_are_judged_by_their_arguments(who: dict[str, int]) -> None:
    assert dict(zip(TRICKS, tried(*[[name] for name in TRICKS], plan=PLAN, **who), strict=True)) == TRICKS


@users
@pytest.mark.skipif(MACHINE != "x86_64", reason="has no such calls")
def test_calls_of_other_architectures_lead_nowhere(who: dict[str, int]) -> None:
    as_x32, as_32_bits = tried(["call_as_x32"], ["call_as_32_bits"], plan=PLAN, **who)
    assert as_x32 == "ENOSYS"
    if tried(["call_as_32_bits"], plain=True, **who) == ["worked"]:
        assert as_32_bits == "SIGSYS"


@users
def test_without_egress_there_are_only_unix_sockets(who: dict[str, int]) -> None:
    stream, datagram, raw = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
    others = [
        (socket.AF_INET, stream),
        (socket.AF_INET6, stream),
        (socket.AF_INET, datagram),
        (socket.AF_INET, raw),
        (socket.AF_NETLINK, raw),
        (socket.AF_PACKET, raw),
        (socket.AF_ALG, socket.SOCK_SEQPACKET),
        (FAR, stream),
    ]
    tries = [["open_socket", int(family), int(type_)] for family, type_ in others]
    assert set(tried(*tries, ["pair_of", int(socket.AF_INET)], plan=PLAN, **who)) == {"EAFNOSUPPORT"}
    unix = [["open_socket", 1, int(type_)] for type_ in (stream, datagram, socket.SOCK_SEQPACKET)]
    assert set(tried(*unix, ["pair_of", 1], plan=PLAN, **who)) == {"worked"}


@users
@needs_landlock
def test_with_egress_only_the_proxy_is_reached_and_only_by_tcp(who: dict[str, int], port: int, free: int) -> None:
    inet, inet6, datagram = int(socket.AF_INET), int(socket.AF_INET6), int(socket.SOCK_DGRAM)
    tries = {
        ("connect", port): "worked",
        ("connect", free): "EACCES",
        ("connect", port, MPTCP): "EAFNOSUPPORT",
        ("connect_by_sending", port): "ENOTSUP",
        ("listen", free): "EACCES",
        ("open_socket", inet6, 1): "worked",
        ("open_socket", inet, datagram): "EAFNOSUPPORT",
        ("open_socket", inet6, datagram): "EAFNOSUPPORT",
        ("open_socket", inet, int(socket.SOCK_RAW)): "EAFNOSUPPORT",
    }
    request = {"plan": {**PLAN, "ports": (port,)}, **who}
    assert dict(zip(tries, tried(*map(list, tries), **request), strict=True)) == tries


@users
@needs_landlock
def test_a_port_to_listen_at_is_none_to_connect_to(who: dict[str, int], port: int, free: int) -> None:
    tries = ["listen", free], ["connect", free], ["connect", port]
    assert tried(*tries, plan={**PLAN, "listens": (free,)}, **who) == ["worked", "EACCES", "EACCES"]
    assert tried(*tries, plan={**PLAN, "ports": (free,)}, **who) == ["EACCES", "ECONNREFUSED", "EACCES"]


@users
@needs_landlock
def test_files_are_changed_only_where_the_plan_allows(who: dict[str, int], folder: Path) -> None:
    open_, shut, own = (str(folder / name) for name in ("open", "shut", "own"))
    tries = {
        ("write", f"{open_}/file"): "worked",
        ("make_folder", f"{open_}/new"): "worked",
        ("bind_socket", f"{open_}/socket"): "worked",
        ("move", f"{open_}/file", f"{open_}/new/file"): "worked",
        ("remove", f"{open_}/new/file"): "worked",
        ("read", f"{shut}/file"): "worked",
        ("write", f"{shut}/file"): "EACCES",
        ("write", f"{shut}/other"): "EACCES",
        ("cut", f"{shut}/file"): "EACCES",
        ("remove", f"{shut}/file"): "EACCES",
        ("make_folder", f"{shut}/new"): "EACCES",
        ("bind_socket", f"{shut}/socket"): "EACCES",
        ("bind_socket", f"{own}/socket"): "worked",
        ("remove", f"{own}/socket"): "worked",
        ("write", f"{own}/file"): "EACCES",
        ("write", f"{own}/other"): "EACCES",
        ("make_folder", f"{own}/new"): "EACCES",
        ("use_device", "/dev/null"): "worked",
        ("use_device", "/dev/zero"): "worked",
        ("write", "/proc/self/oom_score_adj"): "EACCES",
    }
    assert dict(zip(tries, tried(*map(list, tries), plan=plan(folder), **who), strict=True)) == tries


@users
@needs_landlock
def test_files_are_read_only_where_the_plan_allows(who: dict[str, int], folder: Path) -> None:
    narrow = plan(folder, readable=["/usr", "/proc", str(folder / "shut" / "file")])
    tries = [["read", str(folder / name / "file")] for name in ("open", "shut", "own")]
    assert tried(*tries, ["read", "/etc/hostname"], plan=narrow, **who) == ["worked", "worked", "EACCES", "EACCES"]


@users
@needs_landlock
def test_other_processes_and_their_abstract_sockets_are_out_of_reach(who: dict[str, int]) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0firebreak-{os.getpid()}")
        server.listen()
        tries = ["send_signal", os.getpid()], ["abstract", f"firebreak-{os.getpid()}"]
        assert tried(*tries, plan=PLAN, **who) == ["EPERM", "EPERM"]
        assert tried(tries[1], plain=True, **who) == ["worked"]


@users
@needs_landlock
def test_a_worker_does_not_take_its_host_s_place(who: dict[str, int], folder: Path) -> None:
    tries = [["bind_socket", f"{folder}/own/new"], ["remove", f"{folder}/own/file"], ["write", f"{folder}/open/new"]]
    assert tried(*tries, plan=plan(folder), **who) == ["worked", "worked", "worked"]
    (folder / "own" / "new").rename(folder / "own" / "file")
    confined = tried(*tries, plan=plan(folder), confine=[str(folder / "open")], **who)
    assert confined == ["EACCES", "EACCES", "worked"]


@pytest.mark.parametrize("abi", [version for version in range(1, 8) if version <= ABI])
def test_an_older_landlock_restricts_what_it_can(folder: Path, port: int, abi: int) -> None:
    open_, shut = folder / "open", folder / "shut"
    (open_ / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0firebreak-{os.getpid()}")
        server.listen()
        told = tried(
            ["read", str(shut / "file")],
            ["write", str(shut / "file")],
            ["cut", str(shut / "file")],
            ["move", str(open_ / "file"), str(open_ / "folder" / "file")],
            ["connect", port],
            ["send_signal", os.getpid()],
            ["abstract", f"firebreak-{os.getpid()}"],
            abi=abi,
            files={"readable": ["/"], "writable": [str(open_)]},
            ports={},
        )
    assert told == [
        "worked",
        "EACCES",
        "EACCES" if abi >= 3 else "worked",
        "worked" if abi >= 2 else "EXDEV",
        "EACCES" if abi >= 4 else "worked",
        "EPERM" if abi >= 6 else "worked",
        "EPERM" if abi >= 6 else "worked",
    ]


@users
def test_limits_are_set_for_good(who: dict[str, int]) -> None:
    limits = ["RLIMIT_NOFILE", "RLIMIT_CORE"]
    assert set(tried(*[["raise_limit", name] for name in limits], plan=PLAN, **who)) == {"EPERM"}


@users
def test_the_bound_of_processes_is_claimed_where_it_binds(who: dict[str, int]) -> None:
    tries = ["fork_until", 250], ["fork_until", 50]
    told = enclosed(namespaces=True, plan=PLAN, tries=tries, **who)
    if "namespaces" in told:
        pytest.skip("this machine gives its users no namespaces of their own")
    if who or os.getuid() != 0:
        assert "tasks" not in told["missing"]
        assert told["counted"]
        assert (told["fork_until 250"], told["fork_until 50"]) == ("EAGAIN", "worked")
    else:
        assert "root" in told["missing"]["tasks"]
        assert not told["counted"]
        assert told["fork_until 250"] == "worked"


@users
@pytest.mark.parametrize(
    ("hidden", "promises", "why"),
    [(444, {"landlock"}, "no Landlock"), (SECCOMP, {"syscalls", "network"}, "no filter of system calls")],
)
def test_a_wall_that_cannot_be_had_is_named(who: dict[str, int], hidden: int, promises: set[str], why: str) -> None:
    told = enclosed(hides=[hidden], plan=PLAN, **who)
    assert set(told["missing"]) == promises | {"tasks"}
    assert not promises & set(told["promises"])
    assert all(why in told["missing"][promise] for promise in promises)
    refused = enclosed(hides=[hidden], plan={**PLAN, "required": True}, **who)["refused"]
    assert why in refused
    assert "tasks" not in refused


def test_a_thread_that_is_there_before_is_said_to_be_outside() -> None:
    told = enclosed(thread=True, plan=PLAN)
    assert {"privileges", "landlock"} <= set(told["missing"])
    assert "1 thread" in told["missing"]["landlock"]


def test_what_an_older_landlock_lacks_is_told() -> None:
    assert landlock.lacking(0) == ("anything",)
    assert landlock.lacking(7) == ()
    assert len(landlock.lacking(3)) == 2
    assert len(landlock.lacking(4)) == 1
