"""The way to services over real TLS: who is believed, what is shown, and files that change while calls go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509

from gateway.adapters.tls import TlsError
from gateway.adapters.tls.services import ServiceFiles
from gateway.adapters.upstream import GrpcUpstream
from gateway.config import ServiceTls
from gateway.core.deadline import Deadline
from gateway.errors import CallError, Reason
from gateway.targets import Target
from tests.contract.backend import PREFIX, Backend, target
from tests.contract.certificates import Authority

TLS = ServiceTls(ca="ca.crt", certificate="own.crt", key="own.key", name="calculator")


def write(folder: Path, authority: Authority) -> None:
    certificate, key = authority.issue("gateway")
    for name, content in (("ca.crt", authority.ca), ("own.crt", certificate), ("own.key", key)):
        (folder / name).write_bytes(content)


@asynccontextmanager
async def service(authority: Authority, name: str = "calculator") -> AsyncIterator[int]:
    """A service that wants certificates of `authority`, at a port of loopback."""
    certificate, key = authority.issue(name, x509.DNSName(name))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Backend(),))
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority.ca, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield port
    await server.stop(0)


def reached(port: int, folder: Path, tls: ServiceTls = TLS) -> Target:
    made = target(folder)
    made.address = f"dns:///127.0.0.1:{port}"
    made.secured = ServiceFiles(folder).read([tls])[tls]
    return made


async def ask(to: Target) -> list[bytes]:
    upstream, got = GrpcUpstream(asyncio.get_running_loop().time), []

    async def send(message: bytes) -> None:
        got.append(message)

    try:
        deadline = Deadline(asyncio.get_running_loop().time() + 10)
        await upstream.call(to, f"{PREFIX}Call", (), b"hi", deadline, False, send)
    finally:
        await upstream.close()
    return got


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority()
    write(tmp_path, made)
    return made


async def test_both_sides_show_certificates(tmp_path: Path, authority: Authority) -> None:
    async with service(authority) as port:
        assert await ask(reached(port, tmp_path)) == [b"hi"]


@pytest.mark.parametrize(
    ("signed_by_another", "tls"),
    [
        (True, TLS),
        (False, TLS.model_copy(update={"name": "handbook"})),
        (False, TLS.model_copy(update={"name": None})),
        (False, TLS.model_copy(update={"certificate": None, "key": None})),
    ],
)
async def test_a_service_that_is_another_or_does_not_believe_the_gateway_gets_no_call(
    tmp_path: Path, authority: Authority, signed_by_another: bool, tls: ServiceTls
) -> None:
    async with service(Authority() if signed_by_another else authority) as port:
        with pytest.raises(CallError) as caught:
            await ask(reached(port, tmp_path, tls))
    assert caught.value.reason is Reason.TARGET_UNAVAILABLE


async def test_files_that_changed_are_another_target(tmp_path: Path, authority: Authority) -> None:
    files = ServiceFiles(tmp_path)
    before = files.read([TLS])
    assert files.read([TLS]) == before
    write(tmp_path, authority)
    after = files.read([TLS])
    assert after != before
    one, other = target(tmp_path), target(tmp_path)
    one.secured, other.secured = before[TLS], after[TLS]
    assert not one.same(other)


@pytest.mark.parametrize("harm", ["half", "gone", "garbage"])
async def test_what_makes_no_sense_leaves_what_was_read_before(tmp_path: Path, authority: Authority, harm: str) -> None:
    files = ServiceFiles(tmp_path)
    before = files.read([TLS])
    new, key = authority.issue("gateway")
    harms: dict[str, Any] = {
        "half": lambda: (tmp_path / "own.crt").write_bytes(new),
        "gone": (tmp_path / "ca.crt").unlink,
        "garbage": lambda: (tmp_path / "ca.crt").write_text("-----BEGIN"),
    }
    harms[harm]()
    assert files.read([TLS]) == before
    with pytest.raises(TlsError):
        ServiceFiles(tmp_path).read([TLS])
    (tmp_path / "own.crt").write_bytes(new)
    (tmp_path / "own.key").write_bytes(key)
    (tmp_path / "ca.crt").write_bytes(authority.ca)
    assert files.read([TLS])[TLS].certificate == new


def test_nothing_of_a_key_is_shown(tmp_path: Path, authority: Authority) -> None:
    assert "PRIVATE" not in repr(ServiceFiles(tmp_path).read([TLS]))
