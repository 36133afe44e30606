"""The table of system calls is complete."""

from __future__ import annotations

from collections import Counter

import pytest
from firebreak_runtime.syscalls import CALLS, LAST, MACHINES

ONLY_X86_64 = {"iopl", "ioperm", "modify_ldt"}
EXPECTED = {
    "refused": """
        unshare setns mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick
        mount_setattr ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp keyctl add_key request_key bpf
        perf_event_open userfaultfd open_by_handle_at name_to_handle_at init_module finit_module delete_module kexec_load
        kexec_file_load reboot swapon swapoff syslog acct quotactl quotactl_fd settimeofday clock_settime clock_adjtime
        adjtimex sethostname setdomainname iopl ioperm modify_ldt""",
    "absent": "clone3 io_uring_setup io_uring_enter io_uring_register",
    "judged": """
        clone personality ioctl socket socketpair sendto sendmsg sendmmsg
        prlimit64 setpriority sched_setscheduler sched_setparam sched_setattr ioprio_set""",
}


@pytest.mark.parametrize("answer", EXPECTED)
def test_every_call_that_the_filter_is_for_is_there(answer: str) -> None:
    assert sorted(call.name for call in CALLS if call.answer == answer) == sorted(EXPECTED[answer].split())
    assert {call.answer for call in CALLS} == set(EXPECTED)


def test_every_call_has_a_number_on_every_machine_that_has_it() -> None:
    for call in CALLS:
        assert set(call.numbers) == ({"x86_64"} if call.name in ONLY_X86_64 else set(MACHINES))


@pytest.mark.parametrize("machine", MACHINES)
def test_no_number_stands_for_two_calls(machine: str) -> None:
    counted = Counter(call.numbers[machine] for call in CALLS if machine in call.numbers)
    assert max(counted.values()) == 1
    assert max(counted) <= LAST


def test_calls_since_linux_5_1_have_one_number_everywhere() -> None:
    for call in CALLS:
        if max(call.numbers.values()) >= 424:
            assert len(set(call.numbers.values())) == 1, call.name
