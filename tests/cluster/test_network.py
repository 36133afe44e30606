"""The walls between pods, tried from inside them. A cluster whose network plugin enforces nothing fails here, as it should."""

from __future__ import annotations

import pytest

from tests.cluster.installed import CLIENT, NAMESPACE, Installed, Load, client
from tests.cluster.lab import Lab, until

TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
    print("open")
except OSError as error:
    print("closed", error)
"""
API = "kubernetes.default.svc.cluster.local"


def tried(installed: Installed, pod: str, host: str, port: int) -> str:
    return installed.ask(pod, TRY, host, str(port)).split()[0]


def address_of(installed: Installed, name: str) -> str:
    return str(installed.pods(name)[0]["status"]["podIP"])


@pytest.fixture
def stranger(lab: Lab, installed: Installed):
    """A pod of the same namespace that nobody named."""
    lab.apply(*client(lab, {}, "stranger", "-c", "import time; time.sleep(3600)"))
    lab.kubectl("wait", "--for=condition=Ready", "pod/stranger", "-n", NAMESPACE, "--timeout=60s")
    yield "stranger"
    lab.kubectl("delete", "pod", "stranger", "-n", NAMESPACE, "--wait=false")


def test_who_is_no_client_reaches_the_gateway_only_when_it_becomes_one(installed: Installed, stranger: str) -> None:
    assert tried(installed, stranger, "firebreak-gateway", 7500) == "closed"
    installed.lab.kubectl("label", "pod", stranger, "-n", NAMESPACE, "firebreak.dev/client=true")
    until("a client gets through", lambda: tried(installed, stranger, "firebreak-gateway", 7500) == "open")


def test_a_client_reaches_no_service_and_not_the_admin_port(installed: Installed, load: Load) -> None:
    assert tried(installed, CLIENT, "firebreak-gateway", 7500) == "open"
    assert tried(installed, CLIENT, address_of(installed, "firebreak-gateway"), 7501) == "closed"
    assert tried(installed, CLIENT, address_of(installed, "calculator"), 7600) == "closed"


def test_a_service_reaches_the_gateway_and_nothing_else(installed: Installed) -> None:
    calculator = installed.pod("calculator")
    assert tried(installed, calculator, "firebreak-gateway", 7500) == "open"
    assert tried(installed, calculator, API, 443) == "closed"
    assert tried(installed, calculator, address_of(installed, "assistant"), 7600) == "closed"
    assert tried(installed, calculator, "192.0.2.1", 443) == "closed"


def test_the_gateway_reaches_services_and_no_api_server(installed: Installed) -> None:
    gateway = installed.pod("firebreak-gateway")
    assert tried(installed, gateway, address_of(installed, "calculator"), 7600) == "open"
    assert tried(installed, gateway, API, 443) == "closed"
