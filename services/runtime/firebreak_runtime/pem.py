"""PEM files that are replaced while they are in use: what tells that they changed, and whether they fit together."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int, int], ...]


def stamp_of(files: Iterable[Path]) -> Stamp:
    """What changes when one of the files is written or replaced. Raises OSError."""
    found = [path.stat() for path in files]
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def check(authorities: Path, certificate: Path | None, key: Path | None) -> None:
    """Raises OSError where the files make no sense (ssl.SSLError is one), such as half of a rotation."""
    for file in (authorities, certificate, key):
        if file is not None:
            file.open("rb").close()  # ssl does not say which one it cannot read
    checked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        checked.load_cert_chain(certificate, key)
    checked.load_verify_locations(authorities)


def in_words(error: OSError) -> str:
    """Which file is wrong, or how the files do not fit; nothing that is in them."""
    if isinstance(error, ssl.SSLError):
        return f"certificate, key and authorities are no PEM files that fit together ({error.reason or 'not PEM'})"
    return f"{error.filename}: {error.strerror}"
