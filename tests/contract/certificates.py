"""A throw-away certificate authority and what it signs."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates; `ca` is its own, in PEM."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"Test CA {x509.random_serial_number()}")
        self.ca = self._sign(self._name, self._key, (), ca=True).public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str, *sans: x509.GeneralName) -> tuple[bytes, bytes]:
        """A new certificate and its key, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(name), key, sans, ca=False)
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return certificate.public_bytes(pem), private

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, sans: tuple[x509.GeneralName, ...], ca: bool
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            self._name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY
        ).add_extension(x509.BasicConstraints(ca, None), critical=True)
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def write_server(folder: Path, authority: Authority, name: str = "gateway") -> None:
    """Puts server.crt, server.key and ca.crt into `folder`."""
    certificate, key = authority.issue(name, x509.DNSName("localhost"))
    (folder / "server.crt").write_bytes(certificate)
    (folder / "server.key").write_bytes(key)
    (folder / "ca.crt").write_bytes(authority.ca)
