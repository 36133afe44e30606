"""Single tries of the self-test, without the walls that keep them from succeeding; each in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime.self_test import files, mounts, neighbours, network, sockets, writing
from firebreak_runtime.self_test.asked import Asked, read, words, write

TRY = """
import json, sys
from importlib import import_module
from firebreak_runtime.self_test.asked import Asked
module, function, asked = json.loads(sys.argv[1])
print(getattr(import_module("firebreak_runtime.self_test." + module), function)(Asked(**asked)))
"""


def _try(module: str, function: str, **asked: Any) -> str:
    command = [sys.executable, "-I", "-c", TRY, json.dumps([module, function, asked])]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_words_name_a_few_and_count_the_rest() -> None:
    assert words("saw", []) == ""
    assert words("saw", ["a", "b"]) == "saw a, b"
    assert words("saw", list("abcde")) == "saw a, b, c and 2 more"


def test_a_question_crosses_whole() -> None:
    asked = Asked(files=("/a",), writable=("/tmp",), proxy=3128, memory=5)
    assert read(write(asked).decode()) == asked


def test_without_limits_it_gets_what_it_wants() -> None:
    assert "more than 1 MiB of memory" in _try("kernel", "limits", memory=1024**2)


def test_without_a_filter_calls_get_through() -> None:
    told = _try("kernel", "syscalls")
    assert told.startswith("got through to ptrace, io_uring_setup, ") or told.startswith("got through to mount, ptrace")


def test_a_signal_to_its_host_is_tried() -> None:
    assert "a signal to its host" in _try("kernel", "landlock", host=os.getpid())


def test_a_socket_without_a_path_is_connected_to() -> None:
    name = f"firebreak-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"\0{name}")
        sock.listen()
        assert f"\0{name}" in sockets._without_path()
        assert sockets._listens(f"\0{name}")
    assert not sockets._listens(f"\0{name}")


def test_a_socket_that_nobody_listens_at_is_not_reached_and_one_of_another_kind_is(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        stale.bind(str(tmp_path / "stale"))
        other.bind(str(tmp_path / "other"))
        assert not sockets._listens(str(tmp_path / "stale"))
        assert sockets._listens(str(tmp_path / "other"))


def test_a_foreign_file_is_found_and_what_is_the_services_own_is_not(tmp_path: Path) -> None:
    (tmp_path / "own/deep").mkdir(parents=True)
    (tmp_path / "own/deep/file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    own = files._with_real((str(tmp_path / "own"),))
    assert list(files._foreign(str(tmp_path), own)) == []
    (tmp_path / "empty/secret").touch()
    assert list(files._foreign(str(tmp_path), own)) == [str(tmp_path / "empty/secret")]
    assert list(files._readable(str(tmp_path), own)) == [str(tmp_path / "empty/secret")]


def test_a_process_of_the_services_own_is_no_neighbour_and_a_parent_is() -> None:
    told = _try("neighbours", "processes", host=os.getpid())
    assert told.startswith("saw the processes ")
    assert f"{os.getppid()} (" in told or " more" in told
    assert _try("neighbours", "processes", host=0) == ""


def test_variables_are_told_by_name_only() -> None:
    told = _try("neighbours", "variables", host=2**30, environment=[*os.environ], host_environment=["A_TOKEN"])
    assert told.startswith("saw the variables A_TOKEN")
    assert "=" not in told


@pytest.mark.parametrize(
    ("folder", "kind", "bound", "why"),
    [
        ("/tmp", "ext4", 1, "/tmp (a disk: ext4)"),
        ("/proc", "tmpfs", 1, "/proc (no size set)"),
        ("/dev/shm", "tmpfs", 1, "/dev/shm ("),
        ("/dev/shm", "tmpfs", 2**60, ""),
    ],
)
def test_what_can_be_filled(folder: str, kind: str, bound: int, why: str) -> None:
    assert writing._why(folder, kind, bound).startswith(why)
    assert bool(writing._why(folder, kind, bound)) == bool(why)


def test_mounts_are_read_with_their_odd_names() -> None:
    line = r"36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
    assert mounts._read(line) == mounts.Mount("/mnt/a b", "ext3", True)
    assert not mounts._read(line.replace("- ext3 /dev/root rw", "- ext3 /dev/root ro")).writable
    assert not mounts._read(line.replace(" rw,noatime", " ro")).writable


@pytest.mark.parametrize(
    ("address", "families"),
    [
        ("127.0.0.1:80", [socket.AF_INET]),
        ("[::1]:80", [socket.AF_INET6]),
        ("localhost:80", [socket.AF_INET]),
        ("127.0.0.1:3128", []),
        ("10.0.0.1:3128", [socket.AF_INET]),
        ("example.org:80", []),
        ("127.0.0.1", []),
        ("127.0.0.1:99999", []),
    ],
)
def test_addresses_in_numbers_are_tried_but_for_the_proxys(address: str, families: list[int]) -> None:
    assert [each.family for each in network._made(address, socket.SOCK_STREAM, 3128)] == families


def test_loopback_is_the_services_own_only_in_a_network_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listens = ("127.0.0.1", server.getsockname()[1])
        tried = network._Try("one", socket.AF_INET, socket.SOCK_STREAM, listens)
        assert network._run([tried], alone=True, policy=False, patience=1.0) == ["one"]
    assert network._run([tried], alone=True, policy=False, patience=1.0) == []
    assert network._run([tried], alone=False, policy=False, patience=1.0) == ["one"]


def test_silence_counts_as_reached() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        tried = network._Try("one", socket.AF_INET, socket.SOCK_DGRAM, silent.getsockname())
        assert network._run([tried], alone=True, policy=False, patience=0.05) == ["one"]


def test_where_a_policy_bounds_the_network_only_an_answer_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        tries = [
            network._Try("connects", socket.AF_INET, socket.SOCK_STREAM, server.getsockname()),
            network._Try("drops", socket.AF_INET, socket.SOCK_DGRAM, silent.getsockname()),
        ]
        assert network._run(tries, alone=False, policy=True, patience=0.05) == ["connects"]
    assert network._run(tries, alone=False, policy=True, patience=0.05) == [], "refused, by whoever it is"


def test_a_question_that_is_answered_counts_behind_a_policy() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, ThreadPoolExecutor(1) as thread:
        server.bind(("127.0.0.1", 0))
        thread.submit(lambda: server.sendto(b"answer", server.recvfrom(512)[1]))
        tried = network._Try("one", socket.AF_INET, socket.SOCK_DGRAM, server.getsockname())
        assert network._run([tried], alone=False, policy=True, patience=5.0) == ["one"]


def test_behind_a_policy_name_servers_elsewhere_are_tried_by_tcp_and_those_of_the_machine_are_not() -> None:
    def tried(policy: bool) -> set[str]:
        return {each.name for each in network._tries(Asked(policy=policy))}

    assert tried(True) - tried(False) == {"1.1.1.1:53", "8.8.8.8:53"}
    own = {f"{address} (UDP)" for address in network._configured()} - {"127.0.0.53:53 (UDP)", "8.8.8.8:53 (UDP)"}
    assert tried(False) - tried(True) == own


def test_variables_are_expected_by_name_or_by_how_they_begin() -> None:
    expected = ("HOME", "KUBERNETES_*")
    names = ("HOME", "HOMES", "KUBERNETES_PORT", "KUBERNETES")
    assert [neighbours._expected(name, expected) for name in names] == [True, False, True, False]


def test_a_file_that_is_hidden_by_the_null_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert [files._opens(str(tmp_path / name)) for name in ("null", "zero")] == [False, True]
