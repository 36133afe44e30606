"""Shared quotas in a Redis that asks who comes, and over TLS: who is let in, what is believed, and what is told when not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.quotas.redis_server import RedisServer, redis
from tests.contract.quotas.test_shared import SLOWLY, gateway, let_through, until
from tests.contract.quotas.tls_front import authority, tls_front

RIGHTS = "~firebreak:quota:* resetchannels +evalsha +script|load +time +get +set"
"""All that a gateway needs in database 0; as docs/architecture.md says it."""

PASSWORD = "right-secret"


@pytest.fixture
def guarded() -> Iterator[RedisServer]:
    """Takes nobody but a user of its access list."""
    with redis() as running:
        assert running.say("ACL SETUSER gateway on", f">{PASSWORD}", RIGHTS) == b"+OK\r\n"
        assert running.say("ACL SETUSER default off") == b"+OK\r\n"
        yield running


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


def as_user(server: RedisServer, user: str) -> str:
    return server.url.replace("//", f"//{user}@")


async def test_a_user_with_these_rights_and_no_others(guarded: RedisServer, tmp_path: Path, password: Path) -> None:
    url = as_user(guarded, "gateway")
    async with gateway(url, tmp_path, password_file=password.name) as one:
        assert await let_through(one, calls=11) == 10
        assert one.report()["degraded"] == ""


@pytest.mark.parametrize(("user", "secret"), [("gateway", "wrong-secret"), ("nobody", PASSWORD), ("", PASSWORD)])
async def test_another_user_or_password_is_told(
    guarded: RedisServer, tmp_path: Path, password: Path, user: str, secret: str
) -> None:
    password.write_text(secret)
    url = as_user(guarded, user) if user else guarded.url
    async with gateway(url, tmp_path, password_file=password.name) as one:
        await until(lambda: one.report()["degraded"] != "", "it is told")
        assert "does not accept user or password" in one.report()["degraded"]
        assert "secret" not in one.report()["degraded"]


async def test_a_user_without_the_rights_is_told(tmp_path: Path, password: Path) -> None:
    with redis() as server:
        server.say("ACL SETUSER gateway on", f">{PASSWORD}", "~other:* +@all")
        async with gateway(as_user(server, "gateway"), tmp_path, password_file=password.name) as one:
            await until(lambda: "refuses" in one.report()["degraded"], "it is told")


async def test_tls_to_a_user_of_the_access_list(guarded: RedisServer, tmp_path: Path, password: Path) -> None:
    async with tls_front(guarded.port, tmp_path) as front:
        files = {"password_file": password.name, "ca_file": front.ca.name}
        url = front.url(user="gateway@")
        async with gateway(url, tmp_path, **files) as one, gateway(url, tmp_path, **files) as other:
            assert await let_through(one, other, calls=11) == 10
            assert one.report() == other.report() == {"backend": "redis", "degraded": ""}
        assert front.served


async def test_the_systems_authorities_count_without_a_file_and_not_beside_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign, _ = authority(tmp_path, "foreign")
    with redis() as server:
        async with tls_front(server.port, tmp_path) as front:
            monkeypatch.setenv("SSL_CERT_FILE", str(front.ca))
            async with gateway(front.url(), tmp_path) as one:
                assert await let_through(one, calls=11) == 10
            before = front.served
            async with gateway(front.url(), tmp_path, ca_file=foreign.name) as one:
                await until(lambda: "not trusted" in one.report()["degraded"], "it is told")
            assert front.served == before


async def test_a_server_that_is_not_trusted_is_sent_nothing_until_it_is(
    guarded: RedisServer, tmp_path: Path, password: Path
) -> None:
    file, _ = authority(tmp_path, "foreign")
    async with tls_front(guarded.port, tmp_path) as front:
        files = {"password_file": password.name, "ca_file": file.name}
        async with gateway(front.url(user="gateway@"), tmp_path, **files) as one:
            await until(lambda: one.report()["degraded"] != "", "it is told")
            said = one.report()["degraded"]
            assert f"Redis at 127.0.0.1:{front.port} has a certificate that is not trusted" in said
            assert await one.take("target:x", SLOWLY, 1) == 0.0, "each gateway goes on by itself"
            file.write_text("no certificate")
            await until(lambda: "authorities cannot be read" in one.report()["degraded"], "a broken file is told")
            file.unlink()
            await until(lambda: "No such file" in one.report()["degraded"], "a missing file is told")
            assert front.served == 0
            file.write_bytes(front.ca.read_bytes())
            await until(lambda: one.report()["degraded"] == "", "the mended file is in use")
            assert await let_through(one, calls=10) == 10


async def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path) -> None:
    with redis() as server:
        async with tls_front(server.port, tmp_path, "127.0.0.2") as front:
            async with gateway(front.url(), tmp_path, ca_file=front.ca.name) as one:
                await until(lambda: one.report()["degraded"] != "", "it is told")
                assert "not trusted: IP address mismatch" in one.report()["degraded"]
            assert front.served == 0


async def test_a_password_never_crosses_the_network_in_the_clear(tmp_path: Path, password: Path) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(65536))
        writer.write(b"-ERR this speaks no TLS\r\n")
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        url = f"rediss://gateway@127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        async with gateway(url, tmp_path, password_file=password.name) as one:
            await until(lambda: "does not speak TLS" in one.report()["degraded"], "it is told")
    assert heard.startswith(b"\x16\x03"), "a TLS handshake"
    assert PASSWORD.encode() not in heard
    assert b"AUTH" not in heard
