from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.local import certificates

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DEVELOPER = "spiffe://firebreak.local/user/developer"


@pytest.fixture(scope="module")
def ca() -> certificates.Certified:
    return certificates.authority(NOW)


def names(leaf: certificates.Certified) -> x509.SubjectAlternativeName:
    return leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def usage(leaf: certificates.Certified) -> list[x509.ObjectIdentifier]:
    return list(leaf.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_client_has_exactly_its_spiffe_id_and_cannot_serve(ca: certificates.Certified) -> None:
    leaf = certificates.client(ca, DEVELOPER, NOW)
    assert names(leaf).get_values_for_type(x509.UniformResourceIdentifier) == [DEVELOPER]
    assert usage(leaf) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificates.signed_by(ca, leaf)


def test_a_server_is_for_loopback_and_is_no_client(ca: certificates.Certified) -> None:
    leaf = certificates.server(ca, "spiffe://firebreak.local/gateway", NOW)
    assert names(leaf).get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names(leaf).get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert usage(leaf) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_leaf_signs_no_certificates(ca: certificates.Certified) -> None:
    extensions = certificates.client(ca, DEVELOPER, NOW).certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert ca.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


@pytest.mark.parametrize(("days", "due"), [(-1, True), (0, False), (59, False), (61, True), (91, True)])
def test_renewal_is_due_in_the_last_third_of_its_life(ca: certificates.Certified, days: int, due: bool) -> None:
    assert certificates.client(ca, DEVELOPER, NOW).due(NOW + timedelta(days=days)) is due


def test_a_pair_is_read_back_and_a_mixed_one_is_not(ca: certificates.Certified) -> None:
    leaf = certificates.client(ca, DEVELOPER, NOW)
    back = certificates.load(leaf.certificate_pem, leaf.key_pem)
    assert back is not None
    assert back.certificate == leaf.certificate
    assert certificates.load(leaf.certificate_pem, ca.key_pem) is None


@pytest.mark.parametrize("bad", [None, b"", b"-----BEGIN CERTIFICATE-----\nhalf"])
def test_an_unusable_file_is_no_pair(ca: certificates.Certified, bad: bytes | None) -> None:
    assert certificates.load(bad, ca.key_pem) is None
    assert certificates.load(ca.certificate_pem, bad) is None


def test_another_authoritys_certificate_is_not_ours(ca: certificates.Certified) -> None:
    other = certificates.authority(NOW)
    assert not certificates.signed_by(ca, certificates.client(other, DEVELOPER, NOW))


def test_a_pair_does_not_print_its_key(ca: certificates.Certified) -> None:
    assert "PRIVATE" not in repr(ca)
    assert repr(ca).startswith("<cli.local.certificates.Certified object")
