"""Clients of the gateway outside of the cluster's pods, and a steady load of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firebreak.client import CallFailed, Client, Connection

_PAUSE = 0.02
"""Seconds between two calls of one client."""


@dataclass
class Caller:
    """Calls through one connection, and makes another when the gateway at its end is draining, as docs/errors.md says.

    `addresses` are those that there are when a connection is made, of which one after the other is taken from `turn` on.
    """

    addresses: Callable[[], Sequence[str]]
    token: Path
    turn: int = 0
    drained: int = 0
    """How often it was told to go elsewhere."""

    def __post_init__(self) -> None:
        self.client = self._connect()

    def call(self, tool: str, args: dict[str, Any]) -> str:
        """The answer's text. Raises CallFailed, but for DRAINING."""
        while True:
            try:
                return self.client.call(tool, args, timeout=10).text
            except CallFailed as failure:
                if failure.reason != "DRAINING":
                    raise
            self.drained += 1
            self.close()
            self.client = self._connect()

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()

    def _connect(self) -> Client:
        found = self.addresses()
        self.turn += 1
        return Client(Connection(found[self.turn % len(found)], token_file=self.token))


@dataclass
class Load:
    """Calls of `tally` by two callers, each entry once, from entering to leaving; `make` makes a caller with this turn.

    Afterwards it is known which were `answered`, and why others `failed`.
    """

    name: str
    make: Callable[[int], Caller]
    answered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    drained: int = 0

    def __enter__(self) -> Load:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(2)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        caller, count = self.make(number), 0
        while not self._over.wait(_PAUSE):
            count += 1
            entry = f"{self.name}-{number}-{count}"
            try:
                assert caller.call("tally", {"entry": entry}) == entry
            except CallFailed as failure:
                self.failed.append(f"{entry}: {failure}")
            else:
                self.answered.append(entry)
        self.drained += caller.drained
        caller.close()
