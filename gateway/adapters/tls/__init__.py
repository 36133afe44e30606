"""TLS for a listener: certificates are read again when their files change, without a restart."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.config import Tls

_log = logging.getLogger("firebreak.tls")


class TlsError(Exception):
    """A listener's certificate, key or client CA cannot be used; the text says which file and why."""


Stamp = tuple[tuple[int, int, int], ...]
"""What changes when one of several files is written or replaced: mtime, size and inode of each."""


@dataclass(frozen=True, slots=True)
class _Files:
    """Contents of the PEM files, and what their folders said of them when they were read."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    stamp: Stamp


class LiveCertificate:
    """grpc server credentials that follow the files of one `Tls`.

    grpc asks before every handshake, on threads of its own. A pair that does not fit (a rotation half done) or an
    unreadable file leaves the old certificate in place; `error` says why.
    """

    def __init__(self, tls: Tls, root: Path) -> None:
        """Reads the files; raises TlsError. Relative paths are relative to `root`."""
        self._paths = [root / path for path in (tls.certificate, tls.key, tls.client_ca) if path is not None]
        self._lock = threading.Lock()
        self._files = _read(self._paths)
        self._failed: Stamp = ()
        self.error = ""

    def credentials(self) -> Any:
        """For `grpc.aio.Server.add_secure_port`. With a client CA, a client without a certificate of it gets no connection."""
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._files), self._changed, require_client_authentication=self._files.client_ca is not None
        )

    def _changed(self) -> Any:
        """The new configuration, or None while the old one holds. Never raises: grpc would drop the handshake."""
        with self._lock:
            try:
                stamp = _stamp(self._paths)
                if stamp in (self._files.stamp, self._failed):
                    return None
                self._failed = stamp
                self._files = _read(self._paths)
            except (OSError, TlsError) as error:
                self._report(str(error))
                return None
            self.error = ""
            _log.info("certificate %s was read again", self._paths[0])
            return _configuration(self._files)

    def _report(self, error: str) -> None:
        if error != self.error:
            _log.error("the certificate in use stays: %s", error)
        self.error = error


def _configuration(files: _Files) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(files.key, files.certificate)], root_certificates=files.client_ca
    )


def stamp_of(paths: list[Path]) -> Stamp:
    """The stamp of files as they are now. Raises TlsError."""
    try:
        return _stamp(paths)
    except OSError as error:
        raise TlsError(f"{error.filename}: {error.strerror}") from error


def read_client(paths: list[Path]) -> list[bytes]:
    """The checked contents of authorities and, where given, certificate and key. Raises TlsError."""
    try:
        contents = [path.read_bytes() for path in paths]
    except OSError as error:
        raise TlsError(f"{error.filename}: {error.strerror}") from error
    _certificate(paths[0], contents[0])
    if len(paths) > 1:
        _check_pair(paths[1:], contents[1:])
    return contents


def _stamp(paths: list[Path]) -> Stamp:
    stats = [path.stat() for path in paths]
    return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)


def _read(paths: list[Path]) -> _Files:
    """The checked contents of certificate, key and, where given, client CA. Raises TlsError."""
    try:
        # Taken before reading: a file that changes in between is read once more.
        stamp = _stamp(paths)
        contents = [path.read_bytes() for path in paths]
    except OSError as error:
        raise TlsError(f"{error.filename}: {error.strerror}") from error
    _check_pair(paths, contents)
    if len(paths) > 2:
        _certificate(paths[2], contents[2])
    return _Files(contents[0], contents[1], contents[2] if len(paths) > 2 else None, stamp)


def _check_pair(paths: list[Path], contents: list[bytes]) -> None:
    certificate = _certificate(paths[0], contents[0])
    try:
        key = load_pem_private_key(contents[1], None)
    except (ValueError, TypeError) as error:
        raise TlsError(f"{paths[1]}: is no unencrypted private key in PEM") from error
    if _spki(key.public_key()) != _spki(certificate.public_key()):
        raise TlsError(f"{paths[1]}: is not the key of {paths[0]}")


def _certificate(path: Path, content: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(content)[0]
    except ValueError as error:
        raise TlsError(f"{path}: is no certificate in PEM") from error


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
