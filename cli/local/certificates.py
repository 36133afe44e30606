"""A certificate authority for one machine, and the certificates that it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=90)
_SKEW = timedelta(minutes=5)
_SIGNS_ONLY = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
_SIGNS_CERTIFICATES = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


@dataclass(frozen=True, slots=True, repr=False)
class Certified:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def due(self, now: datetime) -> bool:
        """Whether less than a third of its life is left (or it has not begun: the clock was wrong when it was made)."""
        begin, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return not begin <= now < end - (end - begin) / 3


def load(certificate_pem: bytes | None, key_pem: bytes | None) -> Certified | None:
    """The pair in these files, or None if there is none, or none that belongs together."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem or b"")
        key = serialization.load_pem_private_key(key_pem or b"", password=None)
    except ValueError:
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        return None
    return Certified(certificate, key)


def authority(now: datetime) -> Certified:
    """A new authority that signs certificates of services and people, and no further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Firebreak local authority")
    builder = (
        _builder(name, key.public_key(), now, _CA_LIFE)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
    )
    return Certified(builder.sign(key, hashes.SHA256()), key)


def server(ca: Certified, spiffe_id: str, now: datetime) -> Certified:
    """A certificate for a server on this machine's loopback addresses, signed by `ca`."""
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        *map(x509.IPAddress, map(ip_address, ("127.0.0.1", "::1"))),
    ]
    return _leaf(ca, spiffe_id, names, ExtendedKeyUsageOID.SERVER_AUTH, now)


def client(ca: Certified, spiffe_id: str, now: datetime) -> Certified:
    """A certificate with which `spiffe_id` connects, signed by `ca`."""
    return _leaf(ca, spiffe_id, [], ExtendedKeyUsageOID.CLIENT_AUTH, now)


def signed_by(ca: Certified, leaf: Certified) -> bool:
    try:
        leaf.certificate.verify_directly_issued_by(ca.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _leaf(
    ca: Certified, spiffe_id: str, names: list[x509.GeneralName], usage: x509.ObjectIdentifier, now: datetime
) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(spiffe_id.rsplit("/", 1)[1]), key.public_key(), now, _LIFE)
        .issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_ONLY, critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectAlternativeName([*names, x509.UniformResourceIdentifier(spiffe_id)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    return Certified(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def utc(wall: float) -> datetime:
    """Unix time as a datetime."""
    return datetime.fromtimestamp(wall, UTC)
