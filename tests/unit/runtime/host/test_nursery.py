"""The zygote's loop, run in a process of its own that the test started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from firebreak_runtime import control

NURSERY = """
import socket, subprocess, sys
from firebreak_runtime.nursery import Nursery

left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
sock = socket.socket(fileno=int(sys.argv[1]))
sock.send(b'{"unread": 1}')
print(left.pid, flush=True)
Nursery(sock, None, None).run()
"""


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "(zombie)" not in status.read_text()


def _run(hang_up: bool) -> tuple[int, int]:
    """Exit code of a nursery whose host goes away, and the id of a process that was left in it."""
    ours, theirs = control.pair()
    with ours, theirs:
        command = [sys.executable, "-I", "-c", NURSERY, str(theirs.fileno())]
        running = subprocess.Popen(
            command, pass_fds=(theirs.fileno(),), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        theirs.close()
        with running:
            assert running.stdout is not None
            left = int(running.stdout.readline())
            if not hang_up:
                ours.recv(100)
                ours.send(b"not a packet")
            ours.close()
            return running.wait(10), left


def test_nothing_is_left_when_the_host_goes_away_with_packets_unread() -> None:
    code, left = _run(hang_up=True)
    assert code == 0
    assert not _alive(left)


def test_nothing_is_left_when_the_loop_itself_fails() -> None:
    code, left = _run(hang_up=False)
    assert code == 1
    assert not _alive(left)
