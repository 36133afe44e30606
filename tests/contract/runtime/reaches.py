"""What code behind the walls may try in order to reach further. A try raises OSError where it is refused."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import socket
import struct
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_X86_64 = platform.machine() == "x86_64"


def _check(result: int) -> int:
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def open_socket(family: int, type_: int, protocol: int = 0) -> None:
    socket.socket(family, type_, protocol).close()


def pair_of(family: int) -> None:
    socket.socketpair(family, socket.SOCK_STREAM)


def new_user_namespace() -> None:
    _check(_libc.unshare(0x10000000))


def clone_with_namespace() -> None:
    _clone(0x10000000 | 17)


def clone_without_namespace() -> None:
    _clone(17)


def _clone(flags: int) -> None:
    number = 56 if _X86_64 else 220
    if (pid := _check(_libc.syscall(number, ctypes.c_long(flags), *[ctypes.c_long(0)] * 4))) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def be_traced() -> None:
    _check(_libc.ptrace(0, 0, 0, 0))


def read_own_memory() -> None:
    """By the system call that reads other processes' memory as well."""
    source, target = ctypes.create_string_buffer(b"secret"), ctypes.create_string_buffer(8)
    local = struct.pack("=QQ", ctypes.addressof(target), 6)
    remote = struct.pack("=QQ", ctypes.addressof(source), 6)
    _check(_libc.process_vm_readv(os.getpid(), local, 1, remote, 1, 0))


def other_personality() -> None:
    _check(_libc.personality(0x0040000))


def same_personality() -> None:
    _check(_libc.personality(ctypes.c_ulong(0xFFFFFFFF)))


def type_into_terminal() -> None:
    """Into no terminal at all: a kernel that looks at it says ENOTTY."""
    ours, _ = socket.socketpair()
    _check(_libc.ioctl(ours.fileno(), 0x5412, b"x"))


def ask_for_size() -> None:
    ours, _ = socket.socketpair()
    _check(_libc.ioctl(ours.fileno(), 0x541B, ctypes.byref(ctypes.c_int())))


def call_as_x32() -> None:
    _check(_libc.syscall(0x40000000 | 39))


def call_as_32_bits() -> None:
    """getpid by the gate of 32-bit programs."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("53b814000000cd805bc3"))
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    assert call() > 0


def connect(port: int, protocol: int = 0) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))


def connect_by_sending(port: int) -> None:
    with socket.socket() as sock:
        sock.settimeout(5)
        sock.sendto(b"hello", socket.MSG_FASTOPEN, ("127.0.0.1", port))


def listen(port: int) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))


def abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + name)


def send_signal(pid: int) -> None:
    os.kill(pid, 0)


def write(path: str) -> None:
    Path(path).write_text("changed")


def read(path: str) -> None:
    Path(path).read_bytes()


def cut(path: str) -> None:
    os.truncate(path, 0)


def remove(path: str) -> None:
    Path(path).unlink()


def make_folder(path: str) -> None:
    Path(path).mkdir()


def move(source: str, target: str) -> None:
    os.rename(source, target)


def bind_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)


def use_device(path: str) -> None:
    with open(path, "r+b", buffering=0) as device:
        device.write(b"x")


def fork_until(bound: int) -> None:
    """Holds children until there are `bound` more processes."""
    reading, writing = os.pipe()
    pids: list[int] = []
    try:
        while len(pids) < bound:
            if (pid := os.fork()) == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
            pids.append(pid)
    finally:
        os.close(writing)
        for pid in pids:
            os.waitpid(pid, 0)


def raise_limit(name: str) -> None:
    what = getattr(resource, name)
    soft, hard = resource.getrlimit(what)
    try:
        resource.setrlimit(what, (soft, hard + 1))
    except ValueError as error:  # Python's word for EPERM here
        raise PermissionError(1, str(error)) from None


def regain_capability() -> None:
    """By starting a program as root; what an ordinary user starts has none anyway."""
    status = os.popen("/bin/cat /proc/self/status").read()
    if int(status.split("CapEff:")[1].split()[0], 16) == 0:
        raise PermissionError(1, "none")
