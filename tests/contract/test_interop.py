"""gRPC's public interoperability cases: its own client against its own server, direct and through the gateway as a route.

Left out are the seven cases that call Google's identity services; pick_first_unary, which asks the server for an id that
this server does not give, so that it fails direct; and the two about reports of load between servers and balancers: gRPC's
library keeps the trailer `endpoint-load-metrics-bin` to itself, and the client asks for the reports out of band without
credentials, which the gateway wants of everyone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.contract.gateway_process import Gateway, free_port, wait_for

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".firebreak/tools/bin"
CLIENT, SERVER = TOOLS / "grpc-interop-client", TOOLS / "grpc-interop-server"

CASES = (
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "rpc_soak",
    "channel_soak",
)
ROUTE = {
    "name": "interop",
    "methods": [
        "grpc.testing.TestService/*",
        "grpc.testing.UnimplementedService/*",
    ],
    # A soak call is of a quarter of a megabyte both ways.
    "limits": {"request_bytes": "4MiB", "response_bytes": "16MiB", "rate": {"per_second": 1000, "burst": 1000}},
}


class Interop(Gateway):
    """A gateway with nothing behind it but gRPC's interoperability server."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.public, self.server = free_port(), free_port()
        file = folder / "firebreak.yaml"
        config = yaml.safe_load(file.read_text())
        config["listeners"][0]["address"] = f"127.0.0.1:{self.public}"
        config["services"] = []
        config["routes"] = [{**ROUTE, "address": f"127.0.0.1:{self.server}"}]
        file.write_text(yaml.safe_dump(config))

    def start_service(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.processes.append(subprocess.Popen([SERVER, f"--port={self.server}"], stdout=log, stderr=log))

    def case(self, name: str, port: int) -> subprocess.CompletedProcess[str]:
        """Runs one case of the client against a port; the token does no harm where nobody asks for it."""
        options = [f"--server_port={port}", "--server_host=127.0.0.1", f"--test_case={name}"]
        metadata = f"--additional_metadata=authorization:Bearer {self.token}"
        return subprocess.run(
            [CLIENT, *options, metadata], capture_output=True, text=True, timeout=60, check=False, cwd=self.folder
        )


@pytest.fixture(scope="module")
def interop() -> Iterator[Interop]:
    if not (CLIENT.exists() and SERVER.exists()):
        assert os.environ.get("FIREBREAK_TOOLS") != "required", "run `make tools`"
        pytest.skip("gRPC's interop programs are not installed; they are built with Go: `make tools`")
    folder = Path(tempfile.mkdtemp(prefix="fb-"))
    made = Interop(folder)
    try:
        made.start_service()
        process = made.run("-m", "gateway", "--config", "firebreak.yaml")
        wait_for(lambda: made.exited(process) or made.service()["state"] == "ready", "the route is ready")
        wait_for(lambda: made.case("empty_unary", made.server).returncode == 0, "the server answers")
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", CASES)
def test_a_case_passes_direct_and_through_the_gateway(name: str, interop: Interop) -> None:
    for port in (interop.server, interop.public):
        done = interop.case(name, port)
        where = "direct" if port == interop.server else "through the gateway"
        assert done.returncode == 0, f"{where}: {done.stderr[-2000:]}"


def test_the_cases_are_all_that_the_client_offers_without_google(interop: Interop) -> None:
    """A new version may bring new cases: they are to be run, not overlooked."""
    said = subprocess.run([CLIENT, "-help"], capture_output=True, text=True, timeout=60, check=False).stderr
    offered = set(re.findall(r"^\s{8,}(\w+) ?: ", said.partition("-test_case")[2], re.MULTILINE))
    google = {name for name in offered if "cred" in name or "auth" in name}
    assert len(google) == 7
    # Two of those that are run are not in its help.
    assert offered - google - {"pick_first_unary", "orca_per_rpc", "orca_oob"} == set(CASES) - {
        "rpc_soak",
        "channel_soak",
    }
