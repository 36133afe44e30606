"""A process that tries things behind the walls. Run with a JSON request as its argument; prints a JSON object: what the walls
say of themselves, and what came of each try (that it "worked", the name of an errno, or the signal that ended it).

Each try runs in a process of its own. All imports come first: an ordinary user may not be able to read Python's own folder.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from errno import errorcode
from functools import partial
from typing import Any

import needs
import reaches
from firebreak_runtime import landlock, privileges, seccomp
from firebreak_runtime.bpf import answer, encode, if_equal, load
from firebreak_runtime.confine import confine
from firebreak_runtime.enclose import CannotEnclose, Plan, enclose

_libc = ctypes.CDLL(None, use_errno=True)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Keys, all optional: user (an id to become), hides (system calls that this kernel shall not know), thread (to be
    there before), namespaces (of its own); then the walls: plan, abi with files and ports (Landlock alone), confine (writable
    folders), plain (without capabilities only); then tries, and calls (numbers, without arguments)."""
    if "user" in request:
        become(request["user"])
    if "hides" in request:
        hide(request["hides"])
    if "thread" in request:
        threading.Thread(target=signal.pause, daemon=True).start()
    return in_namespaces(partial(within, request)) if "namespaces" in request else within(request)


def within(request: dict[str, Any]) -> dict[str, Any]:
    told = build(request)
    for name, *arguments in request.get("tries", ()):
        act = getattr(reaches, name, None) or getattr(needs, name)
        told[" ".join([name, *map(str, arguments)])] = outcome(partial(act, *arguments))
    for number in request.get("calls", ()):
        told[str(number)] = outcome(partial(bare, number))
    return told


def become(user: int) -> None:
    """For good, and so that its own files in /proc stay its own."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _libc.prctl(4, 1, 0, 0, 0)


def hide(numbers: list[int]) -> None:
    """As on a kernel that does not know these system calls."""
    privileges.gain_none()
    unknown = [each for number in numbers for each in if_equal(number, answer(0x00050000 | 38))]
    seccomp.install(encode([*load(0), *unknown, *answer(0x7FFF0000)]))


def build(request: dict[str, Any]) -> dict[str, Any]:
    told = _enclose(request["plan"]) if "plan" in request else {}
    if "abi" in request:
        privileges.gain_none()
        files, ports = (_frozen(request[name]) for name in ("files", "ports"))
        landlock.restrict(request["abi"], landlock.Files(**files), landlock.Ports(**ports))
    if "confine" in request:
        confine(256 * 1024**2, tuple(request["confine"]))
    if "plain" in request:
        privileges.gain_none()
        privileges.drop_capabilities()
    return told


def _enclose(plan: dict[str, Any]) -> dict[str, Any]:
    try:
        enclosed = enclose(Plan(**_frozen(plan)))
    except CannotEnclose as error:
        return {"refused": str(error)}
    return {"promises": enclosed.promises, "missing": dict(enclosed.missing), "counted": enclosed.counted}


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def outcome(act: Callable[[], object]) -> str:
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(writing, _words(act).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else text


def _words(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return errorcode[error.errno or 0] if error.errno else str(error)
    except BaseException:
        return traceback.format_exc()
    return "worked"


def bare(number: int) -> None:
    """A system call whose arguments are all 0: harmless even where it is allowed."""
    if _libc.syscall(number, *[ctypes.c_long(0)] * 6) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def in_namespaces(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """In a user and a process namespace of its own, as process 1."""
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(0x10000000 | 0x20000000) != 0:
        return {"namespaces": errorcode[ctypes.get_errno()]}
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.write(writing, json.dumps(act()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told: dict[str, Any] = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return told


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
