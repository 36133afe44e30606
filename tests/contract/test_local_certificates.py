"""Local mode's certificates in a real mutual TLS handshake of gRPC."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from cli.local import certificates
from cli.local.identity import TRUST_DOMAIN, LocalIdentity
from gateway.adapters.identity.spiffe import spiffe_id

METHOD = "/test.v1.Names/Tell"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    LocalIdentity(tmp_path).ensure()
    return tmp_path / "identity"


@pytest.fixture
async def port(folder: Path) -> AsyncIterator[int]:
    """A server that tells each client the URI names in its certificate."""

    async def tell(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        names = context.auth_context().get("x509_subject_alternative_name", [])
        return b"\n".join(name for name in names if b"://" in name)

    handler = grpc.unary_unary_rpc_method_handler(tell)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.v1.Names", {"Tell": handler})])
    pair = [((folder / "gateway.key").read_bytes(), (folder / "gateway.crt").read_bytes())]
    trust = grpc.ssl_server_credentials(pair, (folder / "ca.crt").read_bytes(), require_client_auth=True)
    bound = server.add_secure_port("localhost:0", trust)
    await server.start()
    yield bound
    await server.stop(None)


async def told(port: int, ca: bytes, key: bytes | None, certificate: bytes | None) -> bytes:
    credentials = grpc.ssl_channel_credentials(ca, key, certificate)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
        answer: bytes = await channel.unary_unary(METHOD)(b"", timeout=10)
        return answer


async def test_the_developers_certificate_names_the_developer(folder: Path, port: int) -> None:
    files = [(folder / name).read_bytes() for name in ("ca.crt", "developer.key", "developer.crt")]
    names = (await told(port, *files)).decode().split("\n")
    assert spiffe_id(tuple(names), TRUST_DOMAIN) == "spiffe://firebreak.local/user/developer"


@pytest.mark.parametrize("who", ["nobody", "stranger", "gateway"])
async def test_who_has_no_client_certificate_of_this_authority_gets_no_connection(
    folder: Path, port: int, who: str
) -> None:
    ca, now = (folder / "ca.crt").read_bytes(), certificates.utc(time.time())
    stranger = certificates.client(certificates.authority(now), "spiffe://firebreak.local/user/developer", now)
    key, certificate = {
        "nobody": (None, None),
        "stranger": (stranger.key_pem, stranger.certificate_pem),
        "gateway": ((folder / "gateway.key").read_bytes(), (folder / "gateway.crt").read_bytes()),
    }[who]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await told(port, ca, key, certificate)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_gateway_of_another_authority_is_not_talked_to(folder: Path, port: int) -> None:
    foreign = certificates.authority(certificates.utc(time.time())).certificate_pem
    key, certificate = ((folder / name).read_bytes() for name in ("developer.key", "developer.crt"))
    with pytest.raises(grpc.aio.AioRpcError):
        await told(port, foreign, key, certificate)
