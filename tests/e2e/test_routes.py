"""A gRPC service of someone's own behind the gateway, with the policies, the journal and the commands that are shipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from tests.contract.edge import details
from tests.e2e.instance import ROOT, Instance, wait_for

SOURCES = Path(__file__).parent / "inventory"
SERVICE = "shop.v1.InventoryService"
GRANT = {
    "roles": ["developer"],
    "actions": ["describe", "call"],
    "methods": [f"{SERVICE}/Count", f"{SERVICE}/Watch", f"{SERVICE}/Deliver"],
}
TAKES = {
    "roles": ["developer"],
    "actions": ["call"],
    "methods": [f"{SERVICE}/Take"],
    "args": {"fields": {"amount": {"type": "integer", "maximum": 5}}},
}


class Shop:
    """The service as a process, and an instance that routes to it."""

    def __init__(self, folder: Path, start: Callable[..., Instance]) -> None:
        self.address = f"unix:{folder}/shop.sock"
        generator = ROOT / ".firebreak/envs/generator/bin/python"
        out = [f"--python_out={folder}", f"--grpc_python_out={folder}", f"--descriptor_set_out={folder}/shop.binpb"]
        command = [generator, "-m", "grpc_tools.protoc", f"-I{SOURCES}", *out, "shop/v1/inventory.proto"]
        subprocess.run(command, check=True, cwd=SOURCES)
        sys.path.insert(0, str(folder))
        self.folder = folder
        self.process = self.run()
        route = {"name": "inventory", "address": self.address, "methods": [f"{SERVICE}/*"]}
        more = {"descriptors": str(folder / "shop.binpb"), "breaker": {"minimum_calls": 3, "open_for": "200ms"}}
        self.instance = start([ROOT / "services/calculator"], routes=[route | more])
        file = self.instance.policies / "data/grants.yaml"
        data = yaml.safe_load(file.read_text())
        data["grants"]["inventory"] = {"reads": GRANT, "takes": TAKES}
        file.write_text(yaml.safe_dump(data))
        self.channel = grpc.insecure_channel(self.instance.connection().address)
        wait_for(lambda: self.code("Count", product="tea") is None, 10, "the grant is in force")

    def run(self) -> subprocess.Popen[bytes]:
        env = os.environ | {"PYTHONPATH": str(self.folder)}
        return subprocess.Popen([sys.executable, SOURCES / "server.py", self.address], env=env)

    @property
    def stub(self) -> Any:
        from shop.v1 import inventory_pb2_grpc

        return inventory_pb2_grpc.InventoryServiceStub(self.channel)

    @property
    def bearer(self) -> Any:
        return self.instance.connection().metadata()

    def call(self, method: str, **fields: Any) -> Any:
        from shop.v1 import inventory_pb2

        kind = inventory_pb2.TakeRequest if method == "Take" else inventory_pb2.CountRequest
        return getattr(self.stub, method)(kind(**fields), metadata=self.bearer, timeout=10)

    def code(self, method: str, **fields: Any) -> Any:
        """The error's code, None where there is none."""
        try:
            self.call(method, **fields)
        except grpc.RpcError as error:
            return error.code()  # type: ignore[attr-defined]
        return None

    def stop(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.wait()
        sys.path.remove(str(self.folder))


@pytest.fixture
def shop(short_folder: Path, start: Callable[..., Instance]) -> Iterator[Shop]:
    made = Shop(short_folder, start)
    yield made
    made.stop()


def test_a_service_of_ones_own_behind_the_gateway(shop: Shop) -> None:
    """One test, because an instance of its own takes seconds to start."""
    from shop.v1 import inventory_pb2

    # All its clients change is the address; what it answers comes through.
    assert shop.call("Count", product="tea").amount == 10
    watching = shop.stub.Watch(inventory_pb2.CountRequest(product="tea"), metadata=shop.bearer, timeout=10)
    assert dict(watching.initial_metadata())["shop-watch"] == "begun"
    assert [event.amount for event in watching] == [3, 2, 1]
    deliveries = (inventory_pb2.TakeRequest(amount=amount) for amount in (1, 2, 3))
    assert shop.stub.Deliver(deliveries, metadata=shop.bearer, timeout=10).amount == 6
    with pytest.raises(grpc.RpcError) as missing:
        shop.call("Count", product="unicorn")
    assert (missing.value.code(), missing.value.details()) == (grpc.StatusCode.NOT_FOUND, "no unicorns: há nenhum")
    assert dict(missing.value.trailing_metadata())["shop-hint"] == "try horses"

    # Policy judges its arguments.
    assert shop.call("Take", product="tea", amount=5).amount == 5
    with pytest.raises(grpc.RpcError) as denied:
        shop.call("Take", product="tea", amount=6)
    assert denied.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert details(denied.value)["ErrorInfo"].metadata["field"] == "args.amount"  # type: ignore[attr-defined]
    assert shop.call("Count", product="tea").amount == 5

    # The commands know it.
    row = shop.instance.service("inventory")
    assert (row["kind"], row["state"]) == ("service", "ready")
    assert "inventory" in shop.instance.cli("status").stdout
    with shop.instance.client() as client:
        (listed,) = [target for target in client.catalog() if target.name == "inventory"]
    assert list(listed.methods) == [f"{SERVICE}/*"]
    recorded = shop.instance.cli("journal", "tail", "--config", str(shop.instance.config)).stdout
    assert "inventory" in recorded
    assert "Take" in recorded

    # It dies: its callers are told, the breaker opens, nobody else notices, and it comes back.
    shop.process.kill()
    shop.process.wait()
    wait_for(lambda: shop.code("Count", product="tea") is grpc.StatusCode.UNAVAILABLE, 10, "the call fails")
    wait_for(lambda: shop.code("Count", product="tea") and _breaker(shop) == "OPEN", 10, "the breaker opens")
    with shop.instance.client() as client:
        assert client.call("calculator", {"expression": "6 * 7"}).text == "42"
    shop.process = shop.run()
    wait_for(lambda: shop.code("Count", product="tea") is None, 20, "it is back")


def _breaker(shop: Shop) -> str:
    return str(json.loads(shop.instance.admin("/status"))["services"][1]["breaker"])
