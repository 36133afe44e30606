"""The folder of keys that sign session tokens: the newest signs, all verify, files come and go while calls run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from joserfc.jwk import OctKey

from gateway.adapters.identity.keys import BadKeyError, shared_key
from gateway.adapters.identity.sources import POLL
from gateway.adapters.identity.watched_file import Stamp, stamp, why

_log = structlog.get_logger("gateway.identity")
_MAX_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class _File:
    """One key file as last looked at; `kid` and `key` are the last good content, if there was any."""

    stamp: Stamp | None
    kid: str = ""
    key: OctKey | None = None
    problem: str = ""


class SessionKeys:
    """The keys in `folder`, one JWK in each "*.json".

    Key ids sort by age: the greatest signs. (Not the files' times: they are all the same where a folder is mounted from
    a secret, and every gateway must choose the same key.) A file that turns bad keeps its last good key, a file that
    is gone takes its key along, and a folder without any key left changes nothing; `problem` says why.
    """

    def __init__(self, folder: Path) -> None:
        """Reads the folder once; raises BadKeyError if it holds no key."""
        self.problem = ""
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._keys: dict[str, OctKey] = {}
        self.scan()
        if not self._keys:
            raise BadKeyError(f"{folder}: {self.problem}")

    @property
    def newest(self) -> tuple[str, OctKey]:
        """Key id and key that sign."""
        kid = max(self._keys)
        return kid, self._keys[kid]

    def find(self, kid: str) -> OctKey | None:
        """The key `kid`; an unknown one is looked for in the folder first, as another gateway may have just begun to use it."""
        if kid not in self._keys:
            self.scan()
        return self._keys.get(kid)

    async def run(self) -> None:
        """Keeps the keys fresh until it is cancelled."""
        while True:
            await asyncio.sleep(POLL)
            self.scan()

    def scan(self) -> None:
        """Takes up what changed in the folder. Never raises: `problem` tells."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if _is_key_file(path.name))
        except OSError as error:
            self._say(why(error))
            return
        files = {path.name: self._look(path) for path in paths}
        keys, problems = _unique(files)
        if not keys:
            self._say("; ".join(problems) or "no key file (*.json) in it")
            return
        if keys.keys() != self._keys.keys():
            _log.info("identity.session_keys_loaded", folder=str(self._folder), kids=sorted(keys))
        self._files, self._keys = files, keys
        self._say("; ".join(problems))

    def _look(self, path: Path) -> _File:
        last = self._files.get(path.name, _File(None))
        try:
            now = stamp(path)
            if now == last.stamp:
                return last
            if now[2] > _MAX_BYTES:
                raise BadKeyError(f"it is larger than {_MAX_BYTES} bytes")
            kid, key = shared_key(path.read_bytes())
        except OSError as error:
            return _File(None, last.kid, last.key, f"{path.name}: {why(error)}")
        except BadKeyError as error:
            return _File(now, last.kid, last.key, f"{path.name}: {error}")
        return _File(now, kid, key)

    def _say(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("identity.session_keys_not_loaded", folder=str(self._folder), why=problem)
        self.problem = problem


def _is_key_file(name: str) -> bool:
    # Hidden files are half-written ones, and the inner links of a mounted secret.
    return name.endswith(".json") and not name.startswith(".")


def _unique(files: Mapping[str, _File]) -> tuple[dict[str, OctKey], list[str]]:
    keys: dict[str, OctKey] = {}
    problems = [file.problem for file in files.values() if file.problem]
    for name, file in files.items():
        if file.key is None:
            continue
        if file.kid in keys:
            problems.append(f"{name}: an earlier file has the same kid")
        keys.setdefault(file.kid, file.key)
    return keys, problems
