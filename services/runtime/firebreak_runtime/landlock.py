"""Landlock: what a process and whatever it starts may never do again, as far as this kernel can restrict it."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_BENEATH, _PORT = 1, 2

(
    _EXECUTE,
    _WRITE_FILE,
    _READ_FILE,
    _READ_DIR,
    _REMOVE_DIR,
    _REMOVE_FILE,
    _MAKE_CHAR,
    _MAKE_DIR,
    _MAKE_REG,
    _MAKE_SOCK,
    _MAKE_FIFO,
    _MAKE_BLOCK,
    _MAKE_SYM,
    _REFER,
    _TRUNCATE,
    _IOCTL_DEV,
) = (1 << bit for bit in range(16))
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many of these rights an ABI knows; those from 5 on know all of them."""
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = (1 << 16) - 1 & ~(_MAKE_CHAR | _MAKE_BLOCK)
_SOCKETS = _MAKE_SOCK | _REMOVE_FILE | _READ_DIR
_DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
_OF_FILES = _DEVICE | _EXECUTE
"""The only rights that a rule on what is no folder may give."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
"""Always there to be written to: libraries and subprocess.DEVNULL open them so, and they keep nothing."""

TCP_SINCE, _SCOPES_SINCE = 4, 6
"""The versions that restrict connections, and signals with sockets that have no path."""
_BIND, _CONNECT = 1, 2
_ABSTRACT_SOCKETS_AND_SIGNALS = 3

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Files:
    """Paths of files and folders, with all that is below: what may be read and executed, what may be changed (but no device be
    made), and where sockets may be made and removed. A path that does not exist is passed over."""

    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ports:
    """TCP ports that may be connected to, and those that may be listened at."""

    connect: tuple[int, ...] = ()
    listen: tuple[int, ...] = ()


def abi() -> int:
    """The version of Landlock that this kernel has; 0 where it has none, or where it is switched off."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def lacking(abi: int) -> tuple[str, ...]:
    """What this version cannot restrict, in words."""
    if abi == 0:
        return ("anything",)
    tcp = ("connections (Linux 6.7 can)",) if abi < TCP_SINCE else ()
    scopes = ("signals and abstract sockets (Linux 6.12 can)",) if abi < _SCOPES_SINCE else ()
    return tcp + scopes


def restrict(abi: int, files: Files | None = None, ports: Ports | None = None) -> None:
    """Leaves to this thread these files and these ports; None leaves files or ports as they are. No signal, tracing
    or abstract socket reaches a process that is not a descendant. What version `abi` cannot restrict stays as it is. Needs
    no-new-privileges. Raises OSError."""
    known = (1 << _RIGHTS.get(abi, 16)) - 1 if files and abi else 0
    net = _BIND | _CONNECT if ports is not None and abi >= TCP_SINCE else 0
    scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if abi >= _SCOPES_SINCE else 0
    if not known | net | scopes:
        return
    attributes = struct.pack(
        "=QQQ", known, net, scopes
    )  # fields that an older kernel does not know are 0 and do no harm
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path, rights in _paths(files) if files else ():
            _allow_beneath(ruleset, path, rights & known)
        for port, rights in _each(ports) if ports and net else ():
            _call(_ADD_RULE, ruleset, _PORT, struct.pack("=QQ", rights, port), 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _paths(files: Files) -> Iterator[tuple[str, int]]:
    groups = (files.readable, _READ), (files.writable, _WRITE), (files.sockets, _SOCKETS), (_DEVICES, _DEVICE)
    return ((path, rights) for paths, rights in groups for path in paths)


def _each(ports: Ports) -> Iterator[tuple[int, int]]:
    groups = (ports.connect, _CONNECT), (ports.listen, _BIND)
    return ((port, rights) for numbers, rights in groups for port in numbers)


def _allow_beneath(ruleset: int, path: str, rights: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what cannot be opened needs no rule
    try:
        folder = stat.S_ISDIR(os.fstat(parent).st_mode)
        if allowed := rights if folder else rights & _OF_FILES:
            _call(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", allowed, parent), 0)
    finally:
        os.close(parent)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
