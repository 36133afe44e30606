"""The files that secure connections to services: read again when they change, and kept while they make no sense."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from gateway.adapters.tls import Stamp, TlsError, read_client, stamp_of
from gateway.config import ServiceTls
from gateway.targets import Secured

_log = logging.getLogger("firebreak.tls")


class ServiceFiles:
    """What each `ServiceTls` says now. A pair that does not fit (a rotation half done) or a file that is gone leaves what was
    read before in use."""

    def __init__(self, root: Path) -> None:
        """Relative paths are relative to `root`."""
        self._root = root
        self._known: dict[ServiceTls, Secured] = {}
        self._stamps: dict[ServiceTls, Stamp] = {}
        self._errors: dict[ServiceTls, str] = {}

    def read(self, wanted: Iterable[ServiceTls]) -> Mapping[ServiceTls, Secured]:
        """The contents for each of `wanted`. Raises TlsError for one that could never be read."""
        return {tls: self._read(tls) for tls in set(wanted)}

    def _read(self, tls: ServiceTls) -> Secured:
        paths = [self._root / name for name in tls.files]
        try:
            # Taken before reading: a file that changes in between is read once more.
            stamp = stamp_of(paths)
            if stamp != self._stamps.get(tls):
                ca, *pair = read_client(paths)
                certificate, key = pair or (None, None)
                self._known[tls] = Secured(ca, certificate, key, tls.name or "")
                self._stamps[tls] = stamp
            self._errors.pop(tls, None)
        except TlsError as error:
            if tls not in self._known:
                raise
            self._report(tls, str(error))
        return self._known[tls]

    def _report(self, tls: ServiceTls, error: str) -> None:
        if error != self._errors.get(tls):
            _log.error("connections to services stay as they are: %s", error)
        self._errors[tls] = error
