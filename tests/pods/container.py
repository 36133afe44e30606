"""One container: a process with its own mounts in its pod's network, started, told to end, and killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.pods.images import Image, system
from tests.pods.network import Network
from tests.pods.sandbox import bubblewrap, walls

_OFTEN = 0.02
"""Seconds between two looks whether a process has ended."""


@dataclass(frozen=True)
class Box:
    """What a container's processes see: mounts are arguments of bubblewrap, variables the image's and the chart's."""

    network: Network
    address: str
    hostname: str
    image: Image
    mounts: Sequence[str]
    variables: Mapping[str, str]

    def start(self, words: Sequence[str], log: Path) -> int:
        """Runs `words` in there; answers the id of the process."""
        variables = [part for name, value in self.variables.items() for part in ("--setenv", name, value)]
        image = [part for source, place in self.image.binds for part in ("--ro-bind", str(source), place)]
        places = [*system(), *image, *self.mounts, "--chdir", self.image.folder]
        command = [bubblewrap(), *walls(self.hostname), *variables, *places, "--remount-ro", "/", "--", *words]
        return self.network.start(self.address, command, log)


class Container:
    """A process in a box, which `start` starts, also again. What it prints is appended to `log`."""

    def __init__(self, name: str, box: Box, words: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._box = box
        self._words = words
        self._pid = 0

    def start(self) -> None:
        self._pid = self._box.start(self._words, self.log)

    def run(self, words: Sequence[str], seconds: float) -> None:
        """Runs a command beside it, as `exec` hooks do, to its end."""
        pid = self._box.start(words, self.log)
        assert self._ended(pid, seconds), f"{self.name}: {words} took more than {seconds} s"
        assert self._box.network.code(pid) == 0, f"{self.name}: {words} failed: {self.text()}"

    def signal(self, number: signal.Signals) -> None:
        """Sends its first process a signal. SIGKILL ends every process of the container."""
        if self.alive:
            os.kill(self._pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return self._pid == 0 or self._ended(self._pid, seconds)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.wait(10), f"{self.name} did not end when it was killed"

    @property
    def alive(self) -> bool:
        return self._pid != 0 and self._box.network.code(self._pid) is None

    @property
    def over(self) -> bool:
        """Whether it was started and has ended."""
        return self._pid != 0 and not self.alive

    def text(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _ended(self, pid: int, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self._box.network.code(pid) is None:
            if time.monotonic() >= end:
                return False
            time.sleep(_OFTEN)
        return True
