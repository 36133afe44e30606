"""What an attempt is, and what becomes of it: "refused", "not there", or "reached".

Only an error by which a wall is known counts as refused. Any other says that the kernel has gone on to judge the attempt
itself: it was reached.
"""

import errno
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from threading import Thread
from typing import NamedTuple

REFUSED = frozenset(
    (
        errno.EPERM,
        errno.EACCES,
        errno.EROFS,
        errno.ENOSYS,
        errno.EAFNOSUPPORT,
        errno.EPROTONOSUPPORT,
        errno.ESOCKTNOSUPPORT,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    )
)
ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ESRCH))
PATIENCE = 1.0
"""Seconds for one attempt, after which it is given up: a packet that nobody answers has left all the same."""
SILENCE = "reached", f"silence for {PATIENCE:g} s"


class Attempt(NamedTuple):
    """`act` does it, and says what it has got, or raises. `refused` and `absent` are the errors that mean so."""

    what: str
    act: Callable[[], str]
    absent: frozenset[int] = ABSENT
    refused: frozenset[int] = REFUSED


class NotThere(Exception):
    """There is nothing; the text says how that shows."""


class Refused(Exception):
    """Somebody other than the kernel has said no; the text is what he said."""


def here(attempts: Iterable[Attempt]) -> list[dict[str, str]]:
    """One after the other in this process: only for what neither lasts nor changes it."""
    return [_told(attempt, *_outcome(attempt)) for attempt in attempts]


def together(attempts: Iterable[Attempt]) -> list[dict[str, str]]:
    """All at the same time, each in a thread: for what may have to be waited for."""
    found: dict[Attempt, tuple[str, str]] = {}
    tried = list(attempts)
    threads = [Thread(target=lambda one=one: found.update({one: _outcome(one)}), daemon=True) for one in tried]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [_told(one, *found.get(one, SILENCE)) for one in tried]


def apart(attempts: Iterable[Attempt]) -> list[dict[str, str]]:
    """Each in a process of its own, which it may spoil; one after the other, to leave the machine to its neighbours."""
    return [_told(attempt, *_end(*_begun(attempt))) for attempt in attempts]


def _told(attempt: Attempt, outcome: str, how: str) -> dict[str, str]:
    return {"what": attempt.what, "outcome": outcome, "how": how}


def _outcome(attempt: Attempt) -> tuple[str, str]:
    try:
        return "reached", attempt.act()
    except (NotThere, Refused) as said:
        return "not there" if isinstance(said, NotThere) else "refused", str(said)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, f"{type(error).__name__}: {error}")
        if error.errno in attempt.refused:
            return "refused", name
        return ("not there", name) if error.errno in attempt.absent else ("reached", f"as far as {name}")
    except Exception as error:  # a mistake in the attempt is no wall
        return "reached", f"it failed by itself: {type(error).__name__}: {error}"


def _begun(attempt: Attempt) -> tuple[int, int]:
    """The process that tries, and where it tells."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.write(writing, json.dumps(_outcome(attempt)).encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    return pid, reading


def _end(pid: int, reading: int) -> tuple[str, str]:
    try:
        if not select.select([reading], [], [], PATIENCE)[0]:
            return SILENCE
        said = os.read(reading, select.PIPE_BUF)
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    outcome, how = json.loads(said) if said else ("reached", "the process that tried ended in it")
    return outcome, how
