"""TLS over real sockets: who the peer is, who is turned away, and certificates that change while the server runs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.adapters.tls import LiveCertificate, TlsError
from gateway.config import Tls
from tests.contract.certificates import Authority, write_server
from tests.contract.edge import UNARY, Chain, echo, failure, listening

DEVELOPER = "spiffe://firebreak.local/user/developer"
MUTUAL = Tls(certificate="server.crt", key="server.key", client_ca="ca.crt")
SERVER_ONLY = Tls(certificate="server.crt", key="server.key")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority()
    write_server(tmp_path, authority)
    return authority


def client(port: int, ca: bytes, identity: tuple[bytes, bytes] | None = None) -> grpc.aio.Channel:
    certificate, key = identity or (None, None)
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    # A channel of its own connection: a handshake is what is tested.
    return grpc.aio.secure_channel(f"localhost:{port}", credentials, options=[("grpc.use_local_subchannel_pool", 1)])


async def served_name(port: int) -> str:
    """The common name of the certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    name = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return str(name)


async def test_the_peer_is_its_uri_names_alone(tmp_path: Path, authority: Authority) -> None:
    chain = Chain(echo)
    credentials = LiveCertificate(MUTUAL, tmp_path).credentials()
    identity = authority.issue("dev", x509.UniformResourceIdentifier(DEVELOPER), x509.DNSName("spiffe://x/admin"))
    async with (
        listening(chain, "127.0.0.1:0", credentials=credentials) as bound,
        client(bound.port, authority.ca, identity) as channel,
    ):
        assert await channel.unary_unary(UNARY)(b"hi") == b"hi"
    assert chain.calls[0].peer.uris == (DEVELOPER,)
    assert chain.calls[0].peer.address.startswith("ipv4:127.0.0.1")


async def test_a_client_without_a_certificate_of_the_ca_gets_no_connection(
    tmp_path: Path, authority: Authority
) -> None:
    chain = Chain(echo)
    stranger = Authority().issue("dev", x509.UniformResourceIdentifier(DEVELOPER))
    async with listening(chain, "127.0.0.1:0", credentials=LiveCertificate(MUTUAL, tmp_path).credentials()) as bound:
        for identity in (None, stranger):
            async with client(bound.port, authority.ca, identity) as channel:
                error = await failure(channel.unary_unary(UNARY)(b"hi", timeout=10))
                assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert chain.calls == []


async def test_without_a_client_ca_no_client_certificate_is_needed_or_believed(
    tmp_path: Path, authority: Authority
) -> None:
    chain = Chain(echo)
    async with (
        listening(chain, "127.0.0.1:0", credentials=LiveCertificate(SERVER_ONLY, tmp_path).credentials()) as bound,
        client(bound.port, authority.ca) as channel,
    ):
        assert await channel.unary_unary(UNARY)(b"hi") == b"hi"
    assert chain.calls[0].peer.uris == ()


async def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    credentials = LiveCertificate(SERVER_ONLY, tmp_path).credentials()
    async with listening(Chain(echo), "127.0.0.1:0", credentials=credentials) as bound:
        assert await served_name(bound.port) == "gateway"
        write_server(tmp_path, authority, "renewed")
        assert await served_name(bound.port) == "renewed"


async def test_a_rotation_half_done_keeps_the_old_certificate(tmp_path: Path, authority: Authority) -> None:
    live = LiveCertificate(SERVER_ONLY, tmp_path)
    async with listening(Chain(echo), "127.0.0.1:0", credentials=live.credentials()) as bound:
        certificate, key = authority.issue("renewed", x509.DNSName("localhost"))
        (tmp_path / "server.crt").write_bytes(certificate)
        assert await served_name(bound.port) == "gateway"
        assert "is not the key of" in live.error
        (tmp_path / "server.key").write_bytes(key)
        assert await served_name(bound.port) == "renewed"
        assert live.error == ""
        (tmp_path / "server.crt").unlink()
        assert await served_name(bound.port) == "renewed"
        assert "server.crt" in live.error


async def test_a_new_client_ca_counts_from_the_next_connection_on(tmp_path: Path, authority: Authority) -> None:
    other = Authority()
    identity = other.issue("dev", x509.UniformResourceIdentifier(DEVELOPER))
    async with listening(
        Chain(echo), "127.0.0.1:0", credentials=LiveCertificate(MUTUAL, tmp_path).credentials()
    ) as bound:
        async with client(bound.port, authority.ca, identity) as channel:
            await failure(channel.unary_unary(UNARY)(b"hi", timeout=10))
        (tmp_path / "ca.crt").write_bytes(authority.ca + other.ca)
        async with client(bound.port, authority.ca, identity) as channel:
            assert await channel.unary_unary(UNARY)(b"hi", timeout=10) == b"hi"


@contextmanager
def spoilt(path: Path, content: bytes | None) -> Iterator[None]:
    kept = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    yield
    path.write_bytes(kept)


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
@pytest.mark.parametrize("content", [None, b"", b"no pem"])
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, authority: Authority, name: str, content: bytes | None
) -> None:
    with spoilt(tmp_path / name, content), pytest.raises(TlsError, match=name):
        LiveCertificate(MUTUAL, tmp_path)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "server.key").write_bytes(authority.issue("other")[1])
    with pytest.raises(TlsError, match="is not the key of"):
        LiveCertificate(MUTUAL, tmp_path)
