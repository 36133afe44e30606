"""A door for each service that the file names, as long as it names it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from cli.egress.bounds import Bounds
from cli.egress.door import NAME, Door, listen
from cli.egress.lists import MOST, Lists, WrongLists, parse
from cli.egress.reaching import Connect, Reaching, Resolve, connect, resolve
from cli.egress.record import Say

PAUSE = 0.25


class Doors:
    """Follows `file` and keeps the sockets in `folder`. A file that is wrong, or missing, changes nothing."""

    def __init__(
        self,
        file: Path,
        folder: Path,
        say: Say,
        bounds: Bounds = Bounds(),  # noqa: B008 - it cannot be changed
        resolve: Resolve = resolve,
        connect: Connect = connect,
    ) -> None:
        self._file, self._folder, self._say, self._bounds = file, folder, say, bounds
        self._resolve, self._connect = resolve, connect
        self._doors: dict[str, tuple[Door, asyncio.Task[None]]] = {}
        self._seen: object = None
        self._wrong = ""

    async def run(self) -> None:
        """Until it is cancelled; then every connection has ended."""
        try:
            while True:
                self.look()
                await asyncio.sleep(PAUSE)
        finally:
            running = [self._close(name) for name in list(self._doors)]
            await asyncio.gather(*running, return_exceptions=True)

    async def quiet(self, seconds: float) -> None:
        """Waits until no connection is open, for so many seconds at most; those that come meanwhile are served too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while serving := [task for door, _ in self._doors.values() for task in door.serving]:
                    await asyncio.wait(serving)

    def look(self) -> None:
        """One look at the file. What cannot be read or opened is tried again at the next, what is wrong when it has changed."""
        try:
            mark = self._mark()
            if mark != self._seen:
                self._seen = mark
                self._apply(self._read())
                self._wrong = ""
        except OSError as error:
            self._seen = None
            self._complain(error)
        except WrongLists as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Once, as long as it is the same."""
        if str(error) != self._wrong:
            self._wrong = str(error)
            self._say({"event": "the lists of egress are not in force", "error": self._wrong})

    def _mark(self) -> object:
        found = self._file.stat()
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> Lists:
        with self._file.open("rb") as file:
            data = file.read(MOST + 1)
        if len(data) > MOST:
            raise WrongLists(f"it has more than {MOST} bytes")
        return parse(data)

    def _apply(self, lists: Lists) -> None:
        """Raises OSError when it has done what it can."""
        for name in self._doors.keys() - lists.keys():
            self._close(name)
        failure = None
        for name, entries in lists.items():
            try:
                self._door(name).allow(entries)
            except OSError as error:
                failure = error
        if failure is not None:
            raise failure

    def _door(self, name: str) -> Door:
        if name not in self._doors:
            listener = listen(self._folder / name)
            reach = Reaching(self._resolve, self._connect, self._bounds.connect_seconds, self._bounds.lookups)
            door = Door(name, listener, reach, self._bounds, self._say)
            self._doors[name] = door, asyncio.create_task(door.run())
            self._say({"event": "egress is open", "service": name})
        return self._doors[name][0]

    def _close(self, name: str) -> asyncio.Task[None]:
        """Cuts its connections off. The folder stays: it may be mounted in a sandbox."""
        _, task = self._doors.pop(name)
        task.cancel()
        with contextlib.suppress(OSError):
            (self._folder / name / NAME).unlink()
        self._say({"event": "egress is closed", "service": name})
        return task
