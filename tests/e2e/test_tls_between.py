"""The gateway and a service on two ends of a network: each shows the other a certificate, and strangers get nowhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from cryptography import x509
from firebreak.client import CallFailed, Client, Connection, Tls
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.local.identity import LocalIdentity
from tests.contract.certificates import Authority
from tests.contract.gateway_process import Gateway, free_port, wait_for
from tests.e2e.instance import ROOT

PYTHON = ROOT / ".firebreak/envs/calculator/bin/python"


class Between(Gateway):
    """A gateway with its listener in TLS, and the shipped calculator as a host that only it may call."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port, self.public, self.open = free_port(), free_port(), free_port()
        self.ours, self.theirs = Authority(), Authority()
        shutil.rmtree(folder / "policies")
        shutil.copytree(ROOT / "policies", folder / "policies")
        shutil.copytree(ROOT / "services/calculator", folder / "services/calculator")
        self.files("gateway", self.ours)
        self.files("calculator", self.ours)
        self.configure()
        LocalIdentity(folder).issue_service("calculator")

    def files(self, name: str, authority: Authority) -> None:
        """Puts a certificate for NAME, its key and the authority into tls/NAME, each in one step."""
        folder = self.folder / "tls" / name
        folder.mkdir(parents=True, exist_ok=True)
        certificate, key = authority.issue(name, x509.DNSName(name))
        for file, content in (("tls.crt", certificate), ("tls.key", key), ("ca.crt", authority.ca)):
            (folder / "draft").write_bytes(content)
            (folder / "draft").replace(folder / file)

    def configure(self) -> None:
        path = self.folder / "firebreak.yaml"
        config: dict[str, Any] = yaml.safe_load(path.read_text())
        own = {"certificate": "tls/gateway/tls.crt", "key": "tls/gateway/tls.key"}
        config["listeners"] = [
            {
                "name": "public",
                "address": f"127.0.0.1:{self.public}",
                "accept": ["jwt"],
                "tls": {**own, "client_ca": "tls/gateway/ca.crt"},
            },
            {"name": "open", "address": f"0.0.0.0:{self.open}", "accept": ["jwt"], "plaintext": True},
        ]
        config["services"] = [
            {
                "path": "services/calculator",
                "address": f"dns:///127.0.0.1:{self.port}",
                "tls": {**own, "ca": "tls/gateway/ca.crt", "name": "calculator"},
            }
        ]
        path.write_text(yaml.safe_dump(config))

    def host(self) -> subprocess.Popen[bytes]:
        tls = self.folder / "tls/calculator"
        options = {
            "service": self.folder / "services/calculator",
            "listen": f"127.0.0.1:{self.port}",
            "gateway": f"127.0.0.1:{self.public}",
            "token-file": self.folder / "identity/services-tokens/calculator/token",
            "tls-certificate": tls / "tls.crt",
            "tls-key": tls / "tls.key",
            "tls-client-ca": tls / "ca.crt",
            "gateway-ca": tls / "ca.crt",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        with (self.folder / "host.log").open("ab") as log:
            process = subprocess.Popen([PYTHON, "-I", "-m", "firebreak_runtime", *words], stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def serve(self) -> None:
        self.host()
        self.run("-I", "-m", "gateway", "--config", str(self.folder / "firebreak.yaml"))

    def ready(self) -> None:
        wait_for(lambda: self.service()["state"] == "ready", "the service is ready")

    def reloads(self) -> int:
        return int(json.loads(self.get("/status")[1])["configuration"]["reloads"])

    def client(self) -> Client:
        folder = self.folder / "tls/gateway"
        token = self.folder / "identity/tokens/developer.token"
        tls = Tls(folder / "ca.crt", folder / "tls.crt", folder / "tls.key", "gateway")
        return Client(Connection(f"127.0.0.1:{self.public}", token, tls))

    def answers(self) -> str:
        with self.client() as client:
            return client.call("calculator", {"expression": "6 * 7"}).text

    def asked_directly(self, *identity: bytes) -> Any:
        """What a caller beside the gateway gets from the host, which trusts its certificate: the error, None without one."""
        options = [("grpc.ssl_target_name_override", "calculator")]
        credentials = grpc.ssl_channel_credentials(self.ours.ca, *identity)
        with grpc.secure_channel(f"127.0.0.1:{self.port}", credentials, options) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
            except grpc.RpcError as error:
                return error
        return None


@pytest.fixture
def between(short_folder: Path) -> Iterator[Between]:
    made = Between(short_folder)
    yield made
    made.stop()


def test_calls_go_from_certificate_to_certificate_and_nobody_else_gets_in(between: Between) -> None:
    between.serve()
    between.ready()
    assert between.answers() == "42"
    certificate, key = between.ours.issue("gateway")
    assert between.asked_directly(key, certificate) is None
    stranger, strange_key = between.theirs.issue("gateway")
    for identity in ((), (strange_key, stranger)):
        assert between.asked_directly(*identity).code() is grpc.StatusCode.UNAVAILABLE
    with grpc.insecure_channel(f"127.0.0.1:{between.port}") as channel, pytest.raises(grpc.RpcError):
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)


def test_a_listener_in_the_clear_takes_calls_and_is_told(between: Between) -> None:
    between.serve()
    between.ready()
    token = between.folder / "identity/tokens/developer.token"
    with Client(Connection(f"127.0.0.1:{between.open}", token)) as client:
        assert client.call("calculator", {"expression": "6 * 7"}).text == "42"
    assert json.loads(between.get("/status")[1])["gateway"]["plaintext"] == ["open"]


def test_a_service_of_another_authority_is_not_ready_until_its_certificate_is_ours(between: Between) -> None:
    between.files("calculator", between.theirs)
    between.serve()
    wait_for(lambda: '"listening"' in (between.folder / "host.log").read_text(), "the host listens")
    wait_for(lambda: between.service().get("reason"), "the gateway has seen that it is another")
    assert between.service()["state"] != "ready"
    with between.client() as client, pytest.raises(CallFailed) as caught:
        client.call("calculator", {"expression": "6 * 7"})
    assert caught.value.reason in ("TARGET_NOT_READY", "TARGET_UNAVAILABLE")
    between.files("calculator", between.ours)
    between.ready()
    assert between.answers() == "42"


def test_both_sides_take_up_other_certificates_while_they_run(between: Between) -> None:
    between.serve()
    between.ready()
    before = between.reloads()
    between.files("calculator", between.theirs)
    between.files("gateway", between.theirs)
    wait_for(lambda: between.reloads() > before, "the gateway has read its files again")
    # The connection that there is goes on; the one that takes its place is made with the new certificates.
    wait_for(lambda: between.service()["next"] is None, "the newer connection has taken over")
    between.ready()
    assert between.answers() == "42"
    assert between.asked_directly().code() is grpc.StatusCode.UNAVAILABLE
