"""System calls made by hand, with numbers of their own: the tables of the walls are not believed here."""

import ctypes
import os

NUMBERS = {
    "x86_64": {
        "clone": 56, "ptrace": 101, "pivot_root": 155, "add_key": 248, "keyctl": 250, "perf_event_open": 298,
        "userfaultfd": 323, "bpf": 321, "init_module": 175, "kexec_load": 246, "reboot": 169, "swapon": 167,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
    },
    "aarch64": {
        "clone": 220, "ptrace": 117, "pivot_root": 41, "add_key": 217, "keyctl": 219, "perf_event_open": 241,
        "userfaultfd": 282, "bpf": 280, "init_module": 105, "kexec_load": 104, "reboot": 142, "swapon": 224,
        "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    },
}  # fmt: skip
ALIKE = {
    "io_uring_setup": 425, "open_tree": 428, "fsopen": 430, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438,
    "mount_setattr": 442,
}  # fmt: skip
"""Calls since Linux 5.1 have the same number on every machine."""
OF_THIS = ALIKE | NUMBERS.get(os.uname().machine, {})
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(name: str, *arguments: object) -> int:
    """The result of a system call. Raises OSError."""
    return checked(libc.syscall(OF_THIS[name], *(_whole(argument) for argument in arguments)))


def checked(result: int) -> int:
    """Of a function of libc, which has left its error behind."""
    if result < 0:
        raise OSError(error := ctypes.get_errno(), os.strerror(error))
    return result


def _whole(argument: object) -> object:
    """syscall(2) takes numbers in full registers."""
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
