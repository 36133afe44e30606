"""The policy in force: loaded from a folder, followed while it is edited, never replaced by a broken one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from gateway.adapters.policy.bundle import Bundle, policy_files, read_bundle
from gateway.adapters.policy.embedded import EmbeddedEngine
from gateway.adapters.policy.engine import Engine, Loaded
from gateway.adapters.policy.problems import BundleError
from gateway.adapters.policy.trial import try_apart
from gateway.adapters.policy.verify import checked
from gateway.config import Policy
from gateway.policy import PolicyError
from gateway.ports import Clock

_log = structlog.get_logger("firebreak.policy")

_STILL = 0.05
"""Seconds for which a changed folder must be still."""

_LIVELY = 5.0
"""Seconds after a change in which the folder is looked at as often: who has edited it edits it again."""

Stamp = tuple[tuple[str, int, int, int], ...]
"""Path, time of change, size and inode of each file."""


class LivePolicy:
    """Implements the port gateway.policy.PolicyEngine.

    `start` loads the folder or raises; `run` follows it for ever. A changed folder is loaded when it has been still for a
    moment, so that a file is not read while it is being written. The old policy decides until the new one is verified; the
    switch is one assignment.
    """

    def __init__(self, engine: Engine, root: Path, timeout: float, interval: float, clock: Clock) -> None:
        self.name = engine.name
        self._engine = engine
        self._root = root
        self._timeout = timeout
        self._interval = interval
        self._clock = clock
        self._loaded: Loaded | None = None
        self._before: Loaded | None = None
        self._asking: Counter[str] = Counter()
        self._seen: Stamp = ()
        self._changed = False
        self._lively_until = 0.0
        self._again = False
        self._folder_error = ""
        self._engine_error = ""

    @property
    def revision(self) -> str:
        """SHA-256 of the policy and data in force, hexadecimal; "" before any was loaded."""
        return "" if self._loaded is None else self._loaded.bundle.revision

    @property
    def error(self) -> str:
        """Why the folder's present state is not in force, or why the engine cannot decide; "" when all is well."""
        return "\n".join(dict.fromkeys(filter(None, (self._folder_error, self._engine_error))))

    @property
    def failing(self) -> str:
        """Why the engine could not be asked when it was last looked at; "" when it could."""
        return self._engine_error

    async def decide(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """The raw decision; raises PolicyError whenever there is no sound one within the timeout."""
        loaded, started = self._loaded, self._clock()
        if loaded is None:
            raise PolicyError("no policy is loaded")
        self._asking[loaded.bundle.revision] += 1
        try:
            answer = await loaded.decide(document)
        except PolicyError:
            raise
        except Exception as error:
            raise PolicyError(f"the engine failed: {type(error).__name__}") from error
        finally:
            self._asking[loaded.bundle.revision] -= 1
        took = self._clock() - started
        if took > self._timeout:
            raise PolicyError(f"the decision took {took:.3f} s, more than the {self._timeout:g} s allowed")
        return checked(answer)

    async def start(self) -> None:
        """Loads the folder for the first time; raises PolicyError."""
        self._seen = await asyncio.to_thread(_stamp, self._root)
        await self._replace(await asyncio.to_thread(read_bundle, self._root))

    async def run(self) -> None:
        """Follows the folder and the engine until cancelled."""
        while True:
            await asyncio.sleep(self.pause())
            await self.poll()

    def pause(self) -> float:
        """Seconds until the folder is looked at again."""
        lively = self._changed or self._clock() < self._lively_until
        return min(self._interval, _STILL) if lively else self._interval

    async def poll(self) -> None:
        """Looks at the folder and the engine once; never raises."""
        try:
            await self._follow_folder()
            await self._follow_engine()
        except Exception as error:
            self._engine_error = self._note("policy check failed", f"{type(error).__name__}", self._engine_error)

    async def close(self) -> None:
        """Ends the connection to the engine; nothing is decided afterwards."""
        if self._loaded is not None:
            self._loaded.release()
        self._loaded = self._before = None
        await self._engine.close()

    async def _follow_folder(self) -> None:
        stamp = await asyncio.to_thread(_stamp, self._root)
        if stamp != self._seen:
            self._seen, self._changed = stamp, True
            self._lively_until = self._clock() + _LIVELY
            return
        if self._changed or self._again:
            await self._reload(stamp)
        elif self._before is not None and not self._asking[self._before.bundle.revision]:
            await self._forget()

    async def _reload(self, stamp: Stamp) -> None:
        found = await asyncio.to_thread(self._read)
        if await asyncio.to_thread(_stamp, self._root) != stamp:
            return  # edited while it was read: this is neither what it was nor what it will be
        self._changed = self._again = False
        try:
            if isinstance(found, BundleError):
                raise found
            if found.revision != self.revision:
                await self._replace(found)
        except BundleError as error:
            self._folder_error = self._note(
                "policy rejected, the old one stays in force", str(error), self._folder_error
            )
            return
        except PolicyError as error:
            self._again = True  # the engine is at fault, not the folder
            self._folder_error = self._note("policy not loaded, it is tried again", str(error), self._folder_error)
            return
        self._folder_error = ""

    def _read(self) -> Bundle | BundleError:
        try:
            return read_bundle(self._root)
        except BundleError as error:
            return error

    async def _replace(self, bundle: Bundle) -> None:
        loaded = await self._engine.load(bundle)
        before, self._loaded = self._loaded, loaded
        if before is not None:
            before.release()
        self._before = before
        await self._engine.sweep([item.bundle.revision for item in (loaded, before) if item is not None])
        _log.info("policy loaded", revision=bundle.revision, engine=self.name)

    async def _forget(self) -> None:
        """Nobody asks what was in force before any more: an engine that holds less loads the next policy sooner."""
        assert self._loaded is not None  # what was in force before was replaced by it
        self._before = None
        self._asking = +self._asking  # without those that nobody asks
        await self._engine.sweep([self.revision])

    async def _follow_engine(self) -> None:
        if self._loaded is None:
            return
        try:
            if not await self._loaded.alive():
                _log.warning("policy engine lost the policy, loading it again", engine=self.name)
                self._loaded = await self._engine.load(self._loaded.bundle)
        except PolicyError as error:
            self._engine_error = self._note("policy engine failed", str(error), self._engine_error)
            return
        self._engine_error = ""

    def _note(self, event: str, error: str, before: str) -> str:
        if error != before:
            _log.error(event, error=error, engine=self.name)
        return error


def _stamp(root: Path) -> Stamp:
    """What tells a changed folder; empty where the folder is gone."""
    try:
        found = [(file, file.stat()) for file in policy_files(root)]
    except (BundleError, OSError):
        return ()
    return tuple((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino) for file, stat in found)


def make_policy(config: Policy, root: Path, clock: Clock) -> LivePolicy:
    """The policy that `config` describes; relative paths start at `root`. Raises ValueError for an address that is none."""
    return LivePolicy(_engine(config, root), root / config.path, config.timeout, config.reload, clock)


def _engine(config: Policy, root: Path) -> Engine:
    if config.engine == "embedded":
        return EmbeddedEngine(beside=try_apart)
    from gateway.adapters.policy.opa import OpaEngine  # its HTTP client need not be imported where it is not used

    return OpaEngine(config.opa, root, config.timeout * 0.9)
