"""TLS of a host's listener: its files are read again when they change, without a restart."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from firebreak_runtime import pem
from firebreak_runtime.log import Log


@dataclass(frozen=True)
class ListenerTls:
    """PEM files: the host's certificate with its key, and the authorities of those who may connect."""

    certificate: Path
    key: Path
    client_ca: Path

    def stamp(self) -> pem.Stamp:
        """What changes when one of the files is written or replaced. Raises OSError."""
        return pem.stamp_of((self.certificate, self.key, self.client_ca))

    def configuration(self) -> Any:
        """What the files say, for grpc. Raises OSError where they make no sense (ssl.SSLError is one)."""
        pem.check(self.client_ca, self.certificate, self.key)
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
                log.error("the certificate in use stays", problem=pem.in_words(error))
                return None

    return grpc.dynamic_ssl_server_credentials(tls.configuration(), changed, require_client_authentication=True)
