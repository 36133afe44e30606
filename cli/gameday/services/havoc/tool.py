"""A tool that misbehaves as it is asked to.

Each misbehaviour has a bound of its own, so that it is harmless without a sandbox too; where that bound is what stopped it, the
answer says "unbounded".
"""

import ctypes
import errno
import os
import signal
import threading
import time
from pathlib import Path

from langchain_core.callbacks import dispatch_custom_event
from langchain_core.tools import tool

MIB = 1024 * 1024
MOST_MEMORY = 2048 * MIB
MOST_PROCESSES = 300
MOST_DESCRIPTORS = 4096
MOST_DISK = 256 * MIB
MOST_SECONDS = 2.0
SECRET = "password=hunter2 in /srv/keys/token"


def nothing():
    return "nothing happened"


def nap():
    time.sleep(0.3)
    return "slept"


def sleep():
    told({"pid": os.getpid()})
    while True:
        time.sleep(60)


def busy():
    told({"pid": os.getpid()})
    while True:
        pass


def secret():
    raise RuntimeError(f"cannot log in with {SECRET}")


def leave():
    os._exit(7)


def segfault():
    ctypes.string_at(0)


def abort():
    os.abort()


def memory():
    held = []
    while len(held) * 16 * MIB < MOST_MEMORY:
        held.append(bytearray(b"x") * (16 * MIB))
    return f"unbounded: {len(held) * 16} MiB"


def forks():
    """Each process forks as fast as it can; whoever forks takes a byte from one pipe, which holds so many."""
    taking, giving = os.pipe()
    os.write(giving, b"x" * MOST_PROCESSES)
    os.set_blocking(taking, False)
    told({"reached": MOST_PROCESSES - _fork_on(taking, giving), "most": MOST_PROCESSES})
    sleep()


def _fork_on(taking, giving):
    """The first process answers how many bytes are left when nothing can be forked any more, or its time is over."""
    first, end = os.getpid(), time.monotonic() + MOST_SECONDS / 2
    while time.monotonic() < end:
        try:
            os.read(taking, 1)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        try:
            if os.fork() == 0:
                signal.alarm(10)  # were it forgotten by everybody, it would still end
        except OSError:
            os.write(giving, b"x")
            time.sleep(0.01)
    while os.getpid() != first:
        time.sleep(60)
    time.sleep(0.2)  # until those that were refused have given back what they took
    try:
        return len(os.read(taking, MOST_PROCESSES))
    except BlockingIOError:
        return 0


def threads():
    never, count = threading.Event(), 0
    threading.stack_size(64 * 1024)  # or memory would be the bound
    try:
        while count < MOST_PROCESSES:
            threading.Thread(target=never.wait, args=(10,), daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    told({"reached": count, "most": MOST_PROCESSES})
    sleep()


def descriptors():
    held = []
    try:
        while len(held) < MOST_DESCRIPTORS:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return f"{errno.errorcode[error.errno or 0]} after {len(held)}"
    finally:
        for fd in held:
            os.close(fd)
    return f"unbounded: {MOST_DESCRIPTORS}"


def disk():
    """It leaves behind what it wrote, as such tools do."""
    written = 0
    try:
        with _filler().open("wb", buffering=0) as file:
            while written < MOST_DISK:
                written += file.write(b"x" * MIB)
    except OSError as error:
        return f"{errno.errorcode[error.errno or 0]} after {written // MIB} MiB"
    return f"unbounded: {MOST_DISK // MIB} MiB"


def tidy():
    _filler().unlink(missing_ok=True)
    return "tidied"


def _filler():
    return Path.home() / "filler"


def large():
    return "x" * (1024 * MIB)


def larger_than_allowed():
    return "x" * (8 * MIB)


def events():
    for number in range(1_000_000):
        told(number)
    return "a million events"


MISBEHAVIOURS = {
    "nothing": nothing,
    "nap": nap,
    "sleep": sleep,
    "busy": busy,
    "secret": secret,
    "exit": leave,
    "segfault": segfault,
    "abort": abort,
    "memory": memory,
    "forks": forks,
    "threads": threads,
    "descriptors": descriptors,
    "disk": disk,
    "tidy": tidy,
    "large": large,
    "8MiB": larger_than_allowed,
    "events": events,
}


def told(data):
    """Reported while it runs, to a caller that streams."""
    dispatch_custom_event("havoc", data)


@tool
def havoc(do: str) -> str:
    """Misbehave in the way that is named."""
    return MISBEHAVIOURS[do]()
