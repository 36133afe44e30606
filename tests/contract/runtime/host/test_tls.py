"""What a host and its workers are told of TLS, and certificates that change while a host runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import grpc.aio
import pytest
from firebreak_runtime.generation import Surroundings
from firebreak_runtime.log import Log
from firebreak_runtime.options import read_options
from firebreak_runtime.remote.connect import gateway_of
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.gateway import Rpc
from firebreak_runtime.served import GatewayTls, WorkerEnv
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.tls import ListenerTls, credentials
from firebreak_runtime.zygote import _options as zygote_options
from google.protobuf import empty_pb2

from tests.contract.certificates import Authority, write_server

NEEDED = ("--service", "s", "--listen", "0.0.0.0:7600", "--gateway", "g:7500", "--token-file", "t")
OWN = ("--tls-certificate", "a.crt", "--tls-key", "a.key", "--tls-client-ca", "ca.crt")
SERVICE = ServiceFile(Path("s"), "mine", "tool", "1.0.0", "a:b", "READ")
METHOD = "/test/Say"


def test_options_of_tls() -> None:
    options = read_options([*NEEDED, *OWN, "--gateway-ca", "g.crt"])
    files = (options.tls_certificate, options.tls_key, options.tls_client_ca, options.gateway_ca)
    assert files == (Path("a.crt"), Path("a.key"), Path("ca.crt"), Path("g.crt"))
    assert read_options(NEEDED).tls_key is read_options(NEEDED).gateway_ca is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (OWN[:4], "come together"),
        (OWN[2:], "come together"),
        ((*OWN, "--listen", "unix:s"), "for a --listen of host:port"),
        (("--gateway-ca", "g.crt", "--gateway", "unix:g"), "for a --gateway of host:port"),
    ],
)
def test_options_of_tls_that_make_no_sense(
    wrong: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        read_options([*NEEDED, *wrong])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("tls", [GatewayTls(Path("/ca")), GatewayTls(Path("/ca"), Path("/own.crt"), Path("/own.key"))])
def test_a_zygote_is_told_the_files_of_the_way_to_the_gateway(tls: GatewayTls) -> None:
    command = Surroundings(SERVICE, "g", Path("t"), (), gateway_tls=tls).command()
    options = zygote_options([*command, "--control", "3", "--parent", "1"])
    assert GatewayTls(options.gateway_ca, options.gateway_certificate, options.gateway_key) == tls


def test_the_files_of_tls_are_the_services_own() -> None:
    listener = ListenerTls(Path("/t/a.crt"), Path("/t/a.key"), Path("/t/ca.crt"))
    around = Surroundings(
        SERVICE,
        "g",
        Path("t"),
        (),
        tls=listener,
        gateway_tls=GatewayTls(Path("/g"), listener.certificate, listener.key),
    )
    assert [str(file) for file in around.tls_files()] == ["/t/a.crt", "/t/a.key", "/t/ca.crt", "/g"]
    assert Surroundings(SERVICE, "g", Path("t"), ()).tls_files() == ()


class Say(grpc.GenericRpcHandler):
    """Answers each call with nothing."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def say(request: bytes, context: object) -> bytes:
            return b""

        return grpc.unary_unary_rpc_method_handler(say)


def listener_in(folder: Path) -> ListenerTls:
    return ListenerTls(folder / "server.crt", folder / "server.key", folder / "ca.crt")


async def served(folder: Path, said: list[str] | None = None) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Say(),))
    log = Log("mine", time.time, (said if said is not None else []).append)
    port = server.add_secure_port("127.0.0.1:0", credentials(listener_in(folder), log))
    await server.start()
    return server, port


async def say(port: int, tls: GatewayTls | None, token: Path) -> str:
    """The reason why a worker could not say it, "" where it could."""
    gateway = gateway_of(WorkerEnv(f"localhost:{port}", token, SERVICE, tls=tls))
    try:
        await gateway.acall(Rpc(METHOD, empty_pb2.Empty), "x", empty_pb2.Empty(), 5.0)
    except RemoteError as error:
        return error.reason
    finally:
        await gateway.aclose()
    return ""


async def test_a_worker_shows_the_pair_and_one_without_it_gets_no_connection(tmp_path: Path) -> None:
    write_server(tmp_path, Authority())
    (tmp_path / "token").write_text("t")
    server, port = await served(tmp_path)
    ca, token = tmp_path / "ca.crt", tmp_path / "token"
    shown = GatewayTls(ca, tmp_path / "server.crt", tmp_path / "server.key")
    answers = await asyncio.gather(say(port, shown, token), say(port, GatewayTls(ca), token), say(port, None, token))
    await server.stop(0)
    assert answers == ["", "TARGET_UNAVAILABLE", "TARGET_UNAVAILABLE"]


async def test_certificates_that_changed_count_and_half_a_rotation_does_not(tmp_path: Path) -> None:
    said: list[str] = []
    first, second = Authority(), Authority()
    write_server(tmp_path, first)
    (tmp_path / "token").write_text("t")
    server, port = await served(tmp_path, said)
    for name, authority in (("first", first), ("second", second)):
        (tmp_path / name).mkdir()
        write_server(tmp_path / name, authority)

    async def reason(name: str) -> str:
        folder = tmp_path / name
        files = GatewayTls(folder / "ca.crt", folder / "server.crt", folder / "server.key")
        return await say(port, files, tmp_path / "token")

    (tmp_path / "server.key").write_bytes((tmp_path / "second/server.key").read_bytes())
    assert await reason("first") == ""
    write_server(tmp_path, second)
    assert (await reason("second"), await reason("first")) == ("", "TARGET_UNAVAILABLE")
    await server.stop(0)
    assert len(said) == 1
    assert "the certificate in use stays" in said[0]
    assert "PRIVATE" not in said[0]


@pytest.mark.parametrize(("harm", "words"), [("gone", "No such file"), ("garbage", "PEM"), ("foreign", "MISMATCH")])
def test_files_of_no_use_are_told_at_the_start(tmp_path: Path, harm: str, words: str) -> None:
    write_server(tmp_path, Authority())
    if harm == "gone":
        (tmp_path / "ca.crt").unlink()
    elif harm == "garbage":
        (tmp_path / "server.crt").write_text("-----BEGIN")
    else:
        (tmp_path / "server.key").write_bytes(Authority().issue("x")[1])
    with pytest.raises(OSError, match=words):
        credentials(listener_in(tmp_path), Log("mine", time.time))
