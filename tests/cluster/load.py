"""Runs in a client's pod: calls the calculator without a pause, and writes one line of JSON a second about what became of it.

python load.py TARGET_ADDRESS TOKEN_FILE THREADS

A line counts since the start: `ok`, `retried` (DRAINING, which is refused before anything was done, so that the client connects
again and repeats it, as docs/errors.md says), and `failed`: every other end, with its text.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from firebreak.client import CallFailed, Client, Connection

PAUSE = 0.05
"""Seconds between two calls of a thread."""


class Counts:
    """What all threads saw, by outcome."""

    def __init__(self) -> None:
        self.ok, self.retried, self.failed = 0, 0, Counter()
        self._lock = threading.Lock()

    def add(self, ok: int = 0, retried: int = 0, failure: str = "") -> None:
        with self._lock:
            self.ok += ok
            self.retried += retried
            if failure:
                self.failed[failure] += 1

    def line(self) -> str:
        with self._lock:
            return json.dumps({"ok": self.ok, "retried": self.retried, "failed": dict(self.failed)})


def call_on(connection: Connection, counts: Counts) -> None:
    """Calls again and again. A connection stays with the gateway that took it: behind DRAINING there must be a new one."""
    client = Client(connection)
    while True:
        try:
            counts.add(ok=client.call("calculator", {"expression": "6 * 7"}, timeout=10).text == "42")
        except CallFailed as failure:
            if failure.reason == "DRAINING":
                counts.add(retried=1)
                client.close()
                client = Client(connection)
                continue
            counts.add(failure=str(failure))
        time.sleep(PAUSE)


def main(address: str, token_file: str, threads: str) -> None:
    connection, counts = Connection(address, Path(token_file)), Counts()
    for _ in range(int(threads)):
        threading.Thread(target=call_on, args=(connection, counts), daemon=True).start()
    while True:
        time.sleep(1)
        print(counts.line(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
