"""Routed services in the configuration: what is right is loaded with its methods, what is wrong is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.adapters.config_files import ConfigError, Loaded, load
from gateway.config import Effect, Recording
from tests.unit.gateway.orders import DATA

GATEWAY = """\
listeners:
  - {name: public, address: "127.0.0.1:7500", accept: [jwt]}
admin: 127.0.0.1:7501
identity: {session_keys: keys}
policy: {path: policies}
services:
  - path: services/router
routes:
"""
ROUTER = "name: router\nkind: model\nversion: 1.0.0\nentrypoint: a:b\n"
ORDERS = "  - name: orders\n    address: orders.example:50051\n    methods: [acme.Orders/*]\n"
DESCRIBED = "    descriptors: orders.binpb\n"
FIRST = GATEWAY.count("\n") + 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "services" / "router").mkdir(parents=True)
    (tmp_path / "services" / "router" / "service.yaml").write_text(ROUTER)
    (tmp_path / "orders.binpb").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(folder: Path, routes: str) -> Loaded:
    (folder / "firebreak.yaml").write_text(GATEWAY + routes)
    return load(Path("firebreak.yaml"))


def problems(folder: Path, routes: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, routes)
    return [f"{each.line - FIRST}: {each.key}: {each.message}" for each in caught.value.problems]


def test_a_route_without_descriptors(folder: Path) -> None:
    ((config, service),) = loaded(folder, ORDERS).routes
    assert (config.name, config.effect, config.health) == ("orders", Effect.MUTATING, "none")
    assert (config.journal.requests, config.journal.answers) == (Recording.HASHED, Recording.HASHED)
    method = service.method("/acme.Orders/Anything")
    assert method is not None
    assert method.streams_request


def test_a_route_with_descriptors(folder: Path) -> None:
    ((_, service),) = loaded(folder, ORDERS + DESCRIBED).routes
    method = service.method("/acme.Orders/Get")
    assert method is not None
    assert not method.streams_request
    assert service.method("/acme.Orders/Anything") is None


def test_routes_alone_are_something_to_call(folder: Path) -> None:
    (folder / "firebreak.yaml").write_text(GATEWAY.replace("services:\n  - path: services/router\n", "") + ORDERS)
    assert len(load(Path("firebreak.yaml")).routes) == 1


def test_descriptors_that_are_not_there(folder: Path) -> None:
    assert problems(folder, ORDERS + "    descriptors: none.binpb\n") == [
        "3: routes[0].descriptors: none.binpb cannot be read: No such file or directory"
    ]


def test_descriptors_that_are_none(folder: Path) -> None:
    (folder / "orders.binpb").write_bytes(b"\xff")
    (problem,) = problems(folder, ORDERS + DESCRIBED)
    assert problem.startswith("3: routes[0].descriptors: orders.binpb is no FileDescriptorSet; make one with `protoc")


def test_every_configured_method_is_described(folder: Path) -> None:
    route = ORDERS.replace(
        "[acme.Orders/*]", "\n      - acme.Orders/Get\n      - acme.Orders/Gone\n      - acme.Stock/*"
    )
    assert problems(folder, route + DESCRIBED) == [
        "4: routes[0].methods[1]: orders.binpb has no method acme.Orders/Gone",
        "5: routes[0].methods[2]: orders.binpb has no method acme.Stock/*",
    ]


@pytest.mark.parametrize(
    ("methods", "other"),
    [
        ("[acme.Orders/Get]", "acme.Orders/*"),
        ("[acme.Orders/*]", "acme.Orders/*"),
        ("[acme.Stock/Count, acme.Orders/Watch]", "acme.Orders/*"),
    ],
)
def test_a_method_leads_to_one_route(folder: Path, methods: str, other: str) -> None:
    (problem,) = problems(folder, ORDERS + ORDERS.replace("orders", "second").replace("[acme.Orders/*]", methods))
    assert problem.startswith("5: routes[1].methods[")
    assert problem.endswith(f"is claimed by {other} in routes[0] already")


def test_a_method_is_named_once(folder: Path) -> None:
    route = ORDERS.replace("[acme.Orders/*]", "[acme.Orders/Get, acme.Orders/Get]")
    assert problems(folder, route) == [
        "2: routes[0].methods[1]: acme.Orders/Get is claimed by acme.Orders/Get in routes[0] already"
    ]


def test_two_routes_may_share_an_address(folder: Path) -> None:
    """One service, some of whose methods change nothing."""
    reads = ORDERS.replace("[acme.Orders/*]", "[acme.Orders/Get]") + DESCRIBED + "    effect: READ\n"
    writes = ORDERS.replace("orders\n", "orders-write\n", 1).replace("[acme.Orders/*]", "[acme.Orders/Load]")
    assert [config.name for config, _ in loaded(folder, reads + writes).routes] == ["orders", "orders-write"]


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("127.0.0.1:7500", "listener public"),
        ("127.0.0.1:7501", "admin"),
        ("unix:.firebreak/run/router.sock", "service services/router"),
    ],
)
def test_an_address_of_the_gateways_own_or_of_a_service_is_no_routes(folder: Path, address: str, owner: str) -> None:
    assert problems(folder, ORDERS.replace("orders.example:50051", address)) == [
        f"1: routes[0].address: {address} is the address of {owner} too"
    ]


@pytest.mark.parametrize("address", ["orders.example", "orders.example:99999", "unix:", "http://orders.example:1"])
def test_an_address_is_one_that_can_be_reached(folder: Path, address: str) -> None:
    (problem,) = problems(folder, ORDERS.replace("orders.example:50051", f'"{address}"'))
    assert problem.startswith("1: routes[0].address: ")


def test_names_belong_to_one_service_or_route(folder: Path) -> None:
    again = ORDERS.replace("acme.Orders", "acme.Other")
    assert problems(folder, ORDERS.replace("orders\n", "router\n", 1)) == [
        "0: routes[0].name: router is that of a service too"
    ]
    assert problems(folder, ORDERS + again) == ["3: routes[1].name: orders is that of routes[0] too"]


@pytest.mark.parametrize(
    "method", ["acme.Orders", "acme.Orders/", "/acme.Orders/Get", "acme.Orders/G*", "*/*", "acme Orders/Get"]
)
def test_a_method_is_written_as_one(folder: Path, method: str) -> None:
    (problem,) = problems(folder, ORDERS.replace("[acme.Orders/*]", f'["{method}"]'))
    assert 'a method is written "package.Service/Method"' in problem


@pytest.mark.parametrize("method", ["firebreak.v1.ToolService/Call", "grpc.health.v1.Health/*"])
def test_what_the_gateway_serves_itself_is_no_route(folder: Path, method: str) -> None:
    (problem,) = problems(folder, ORDERS.replace("acme.Orders/*", method))
    assert "the gateway serves this itself" in problem


@pytest.mark.parametrize(
    ("route", "setting", "why"),
    [
        (ORDERS, "    limits: {tokens: {answer: 5}}\n", "only models count tokens"),
        (ORDERS, "    retry: {attempts: 2}\n", "effect is MUTATING, and what changes something is never sent twice"),
        (
            ORDERS + "    effect: READ\n",
            "    retry: {attempts: 2}\n",
            "none of its methods is known, by descriptors, to take one request message",
        ),
        (
            ORDERS.replace("/*", "/Load") + DESCRIBED + "    effect: READ\n",
            "    retry: {attempts: 2}\n",
            "none of its methods is known, by descriptors, to take one request message",
        ),
        (
            ORDERS.replace("/*", "/Get") + DESCRIBED,
            "    limits: {idle: 3s}\n",
            "its methods answer with one message each",
        ),
        (ORDERS, "    limits: {max_deadline: 3600s}\n", "the gateway's admission.max_deadline is shorter"),
        (
            ORDERS,
            "    journal: {requests: full, answers: full, mask: [x]}\n",
            "neither requests nor answers are masked",
        ),
    ],
)
def test_what_has_no_effect_is_an_error(folder: Path, route: str, setting: str, why: str) -> None:
    (problem,) = problems(folder, route + setting)
    assert problem.endswith(f"has no effect: {why}")
    assert ": routes[0]." in problem


@pytest.mark.parametrize(
    "route",
    [
        ORDERS.replace("/*", "/Get") + DESCRIBED + "    effect: READ\n    retry: {attempts: 2}\n",
        ORDERS.replace("/*", "/Watch") + DESCRIBED + "    limits: {idle: 3s}\n",
        ORDERS + "    limits: {idle: 3s}\n",
    ],
)
def test_what_has_an_effect_is_none(folder: Path, route: str) -> None:
    assert len(loaded(folder, route).routes) == 1


def test_tokens_are_counted_by_models_only(folder: Path) -> None:
    service = folder / "services" / "router" / "service.yaml"
    service.write_text(ROUTER + "limits: {tokens: {answer: 5}}\n")
    loaded(folder, ORDERS)
    service.write_text(ROUTER.replace("model", "embedding") + "limits: {tokens: {answer: 5}}\n")
    (problem,) = problems(folder, ORDERS)
    assert problem.endswith("limits.tokens: has no effect: only models count tokens")


def test_messages_of_a_route_cannot_be_masked(folder: Path) -> None:
    (problem,) = problems(folder, ORDERS + "    journal: {requests: masked}\n")
    assert "full, hashed or none" in problem
