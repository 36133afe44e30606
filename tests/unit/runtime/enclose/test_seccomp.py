"""The filter of system calls: every call that it names, on both machines, on both sides."""

from __future__ import annotations

import errno
import socket

import pytest
from firebreak_runtime.seccomp import UnknownMachine, machine, program
from firebreak_runtime.syscalls import CALLS, LAST, MACHINES

from tests.unit.runtime.enclose.filters import AARCH64, ALLOW, ARM, I386, KILL, X86_64, answer, error

ARCHITECTURES = {"x86_64": X86_64, "aarch64": AARCH64}
NUMBERS = {(machine, call.name): number for call in CALLS for machine, number in call.numbers.items()}
REFUSED, ABSENT, NO_FAMILY = error(errno.EPERM), error(errno.ENOSYS), error(errno.EAFNOSUPPORT)
STREAM, DATAGRAM, RAW, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET
FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
FAST_OPEN, MPTCP, SCTP, SMC = 0x20000000, 262, 132, 256
UPPER = 0xABCD << 32
"""What a caller may leave in the upper half of an argument that the kernel reads as 32 bits."""

both = pytest.mark.parametrize("machine", MACHINES)


def judged(machine: str, name: str, *arguments: int, internet: bool = False) -> int:
    return answer(program(machine, internet), ARCHITECTURES[machine], NUMBERS[machine, name], arguments)


def plain(machine: str, answer: str) -> list[str]:
    return [call.name for call in CALLS if call.answer == answer and machine in call.numbers]


@both
@pytest.mark.parametrize("internet", [False, True])
def test_what_is_refused_or_absent_is_so_with_any_arguments(machine: str, internet: bool) -> None:
    for arguments in ((), (-1,) * 6):
        for name in plain(machine, "refused"):
            assert judged(machine, name, *arguments, internet=internet) == REFUSED, name
        for name in plain(machine, "absent"):
            assert judged(machine, name, *arguments, internet=internet) == ABSENT, name


@both
@pytest.mark.parametrize("internet", [False, True])
def test_every_call_that_is_not_in_the_table_is_allowed(machine: str, internet: bool) -> None:
    named = {number for (where, _), number in NUMBERS.items() if where == machine}
    filter_ = program(machine, internet)
    for number in set(range(LAST + 1)) - named:
        assert answer(filter_, ARCHITECTURES[machine], number, (-1,) * 6) == ALLOW, number


@both
def test_calls_of_later_kernels_and_of_x32_are_unknown(machine: str) -> None:
    for number in (LAST + 1, 512, 547, 0x40000000, 0x40000000 | 41, 0x7FFFFFFF, -1):
        assert answer(program(machine, True), ARCHITECTURES[machine], number) == ABSENT


@both
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    for architecture in {X86_64, AARCH64, I386, ARM, 0} - {ARCHITECTURES[machine]}:
        for number in (0, 1, NUMBERS[machine, "socket"], 0x40000000):
            assert answer(program(machine, True), architecture, number) == KILL


@both
def test_clone_makes_processes_and_threads_and_no_namespace(machine: str) -> None:
    fork, thread = 0x01200011, 0x003D0F00
    assert judged(machine, "clone", fork) == judged(machine, "clone", thread) == ALLOW
    assert judged(machine, "clone", UPPER | fork) == ALLOW
    for namespace in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert judged(machine, "clone", fork | namespace) == judged(machine, "clone", UPPER | namespace) == REFUSED


@both
def test_a_personality_is_asked_for_and_not_taken(machine: str) -> None:
    assert judged(machine, "personality", 0xFFFFFFFF) == ALLOW
    for other in (0, 8, 0x0040000, 0xFFFFFFFE):
        assert judged(machine, "personality", other) == REFUSED


@both
@pytest.mark.parametrize("name", ["prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr"])
def test_limits_and_scheduling_are_a_process_own(machine: str, name: str) -> None:
    assert judged(machine, name, 0, 7) == judged(machine, name, UPPER, 7) == ALLOW
    for pid in (1, 2, 4194304, 0xFFFFFFFF):
        assert judged(machine, name, pid, 0) == REFUSED


@both
@pytest.mark.parametrize(("name", "process", "group", "user"), [("setpriority", 0, 1, 2), ("ioprio_set", 1, 2, 3)])
def test_priorities_are_a_process_own_and_its_groups(
    machine: str, name: str, process: int, group: int, user: int
) -> None:
    assert judged(machine, name, process, 0, 10) == judged(machine, name, group, 0, 10) == ALLOW
    for which in (process, group):
        assert judged(machine, name, which, 1, 0) == REFUSED
    assert judged(machine, name, user, 0, 10) == judged(machine, name, UPPER | user, 0, 10) == REFUSED


@both
def test_nothing_is_typed_into_a_terminal(machine: str) -> None:
    for command in (0x5412, 0x541C):
        assert judged(machine, "ioctl", 0, command) == judged(machine, "ioctl", 0, UPPER | command) == REFUSED
    for command in (0x5401, 0x5411, 0x5413, 0x541B, 0x541D):
        assert judged(machine, "ioctl", 0x5412, command) == ALLOW


@both
@pytest.mark.parametrize("internet", [False, True])
def test_unix_sockets_of_every_type_are_allowed_and_other_families_are_not(machine: str, internet: bool) -> None:
    for type_ in (STREAM, DATAGRAM, SEQPACKET, STREAM | FLAGS):
        for name in ("socket", "socketpair"):
            assert judged(machine, name, socket.AF_UNIX, type_, internet=internet) == ALLOW
            for family in set(range(48)) - {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}:
                assert judged(machine, name, family, type_, internet=internet) == NO_FAMILY
            assert judged(machine, name, UPPER | socket.AF_NETLINK, type_, internet=internet) == NO_FAMILY


@both
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_only_tcp_and_only_where_there_is_egress(machine: str, family: int) -> None:
    for type_ in (STREAM, STREAM | FLAGS, STREAM | socket.SOCK_CLOEXEC):
        for protocol in (0, socket.IPPROTO_TCP):
            assert judged(machine, "socket", family, type_, protocol, internet=True) == ALLOW
            assert judged(machine, "socket", family, type_, protocol, internet=False) == NO_FAMILY
        for protocol in (MPTCP, SCTP, SMC, socket.IPPROTO_UDP):
            assert judged(machine, "socket", family, type_, protocol, internet=True) == NO_FAMILY
        assert judged(machine, "socketpair", family, type_, 0, internet=True) == NO_FAMILY
    for type_ in (DATAGRAM, RAW, SEQPACKET, 6, 10, DATAGRAM | FLAGS, STREAM | 0x10, UPPER | DATAGRAM):
        assert judged(machine, "socket", family, type_, 0, internet=True) == NO_FAMILY


@both
@pytest.mark.parametrize(("name", "at"), [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)])
def test_sending_does_not_connect(machine: str, name: str, at: int) -> None:
    allowed = [FAST_OPEN] * 6
    allowed[at] = socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT
    fast = [0] * 6
    fast[at] = UPPER | FAST_OPEN | socket.MSG_NOSIGNAL
    for internet in (False, True):
        assert judged(machine, name, *allowed, internet=internet) == ALLOW
        assert judged(machine, name, *fast, internet=internet) == error(errno.EOPNOTSUPP)


def test_a_machine_without_a_filter_is_named() -> None:
    with pytest.raises(UnknownMachine, match="riscv64"):
        program("riscv64", False)


def test_a_program_fits_into_the_kernel_s_bound() -> None:
    assert all(len(program(machine, internet)) // 8 < 4096 for machine in MACHINES for internet in (False, True))


def test_this_machine_has_a_filter() -> None:
    assert machine() in MACHINES
