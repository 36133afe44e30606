"""TLS of a host's listener: its files are read again when they change, without a restart."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from firebreak_runtime.log import Log

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class ListenerTls:
    """PEM files: the host's certificate with its key, and the authorities of those who may connect."""

    certificate: Path
    key: Path
    client_ca: Path

    def stamp(self) -> Stamp:
        """What changes when one of the files is written or replaced. Raises OSError."""
        found = [path.stat() for path in (self.certificate, self.key, self.client_ca)]
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)

    def configuration(self) -> Any:
        """What the files say, for grpc. Raises OSError where they make no sense (ssl.SSLError is one)."""
        checked = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        checked.load_cert_chain(self.certificate, self.key)
        checked.load_verify_locations(self.client_ca)
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=self.client_ca.read_bytes())


def credentials(tls: ListenerTls, log: Log) -> Any:
    """For a grpc server, which nobody reaches without a certificate of `tls.client_ca`. Raises OSError.

    grpc asks before every handshake, on threads of its own. Files that make no sense now, such as half of a rotation, leave the
    certificate in use in place.
    """
    lock, seen = threading.Lock(), [tls.stamp()]

    def changed() -> Any:
        with lock:
            try:
                if (stamp := tls.stamp()) == seen[0]:
                    return None
                seen[0] = stamp
                return tls.configuration()
            except OSError as error:
                log.error("the certificate in use stays", problem=in_words(error))
                return None

    return grpc.dynamic_ssl_server_credentials(tls.configuration(), changed, require_client_authentication=True)


def in_words(error: OSError) -> str:
    """Which file is wrong, or how the files do not fit; nothing that is in them."""
    if isinstance(error, ssl.SSLError):
        return f"certificate, key and client CA are no PEM files that fit together ({error.reason or 'not PEM'})"
    return f"{error.filename}: {error.strerror}"
