"""Which names lead to a routed service, and what shape its methods have."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import RouteConfig
from gateway.descriptors import Descriptors
from gateway.routed import RoutedService
from gateway.routes import Action, Kind, Method
from tests.unit.gateway.orders import DATA, Order


def service(*methods: str, described: bool = False) -> RoutedService:
    config = RouteConfig.model_validate({"name": "orders", "address": "unix:o.sock", "methods": methods})
    return RoutedService(config, Descriptors(DATA) if described else None)


def streaming(name: str, label: str) -> Method:
    return Method(name, Kind.SERVICE, Action.CALL, True, True, "orders", label)


def test_an_exact_name_leads_to_it_and_may_stream_both_ways() -> None:
    orders = service("acme.Orders/Get")
    assert orders.method("/acme.Orders/Get") == streaming("/acme.Orders/Get", "/acme.Orders/Get")
    assert orders.names == ("acme.Orders/Get",)


@pytest.mark.parametrize("name", ["/acme.Orders/List", "/acme.Order/Get", "acme.Orders/Get", "/acme.Orders/Get/x", ""])
def test_another_name_does_not(name: str) -> None:
    assert service("acme.Orders/Get").method(name) is None


def test_all_of_a_service_is_labelled_by_its_pattern() -> None:
    orders = service("acme.Orders/*", "acme.Stock/Count")
    assert orders.method("/acme.Orders/Anything") == streaming("/acme.Orders/Anything", "/acme.Orders/*")
    assert orders.method("/acme.Stock/Count") == streaming("/acme.Stock/Count", "/acme.Stock/Count")
    assert orders.method("/acme.Stock/Other") is None


@pytest.mark.parametrize(
    "name",
    ["/acme.Orders/", "/acme.Orders/a/b", "/acme.Orders/a b", "/acme.Orders/ä", "/acme.Orders/*", "/acme.Orders"],
)
def test_what_is_no_name_of_a_method_leads_nowhere(name: str) -> None:
    assert service("acme.Orders/*").method(name) is None


def test_a_made_up_name_has_a_longest_length() -> None:
    orders = service("acme.Orders/*")
    longest = "/acme.Orders/" + "x" * (200 - len("/acme.Orders/"))
    assert orders.method(longest) is not None
    assert orders.method(longest + "x") is None


def test_described_methods_have_their_own_shape() -> None:
    orders = service("acme.Orders/*", described=True)
    shapes: dict[str, Any] = {}
    for name in ("Get", "Watch", "Load", "Sync"):
        method = orders.method(f"/acme.Orders/{name}")
        assert method is not None
        assert (method.target, method.label) == ("orders", method.name)
        shapes[name] = (method.streams_request, method.streams_response)
    assert shapes == {"Get": (False, False), "Watch": (False, True), "Load": (True, False), "Sync": (True, True)}
    assert orders.method("/acme.Orders/Unheard") is None


def test_of_described_services_only_what_is_configured_leads_here() -> None:
    orders = service("acme.Orders/Get", described=True)
    assert orders.method("/acme.Orders/Get") is not None
    assert orders.method("/acme.Orders/Watch") is None


def test_descriptors_without_a_configured_method_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"has no method acme\.Stock/Count"):
        service("acme.Orders/Get", "acme.Stock/Count", described=True)


def test_policy_reads_one_request_message_where_it_is_described() -> None:
    request = Order(customer_id="c").SerializeToString()
    orders = service("acme.Orders/*", described=True)
    for name, args in (("Get", {"customer_id": "c"}), ("Watch", {"customer_id": "c"}), ("Load", None), ("Sync", None)):
        method = orders.method(f"/acme.Orders/{name}")
        assert method is not None
        assert orders.arguments(method, request) == args
    bare = service("acme.Orders/*")
    method = bare.method("/acme.Orders/Get")
    assert method is not None
    assert bare.arguments(method, request) is None


@pytest.mark.parametrize(
    ("methods", "described", "repeatable", "streams"),
    [
        (("acme.Orders/*",), False, False, True),
        (("acme.Orders/Get",), False, False, True),
        (("acme.Orders/Get",), True, True, False),
        (("acme.Orders/Watch",), True, True, True),
        (("acme.Orders/Load",), True, False, False),
        (("acme.Orders/*",), True, True, True),
    ],
)
def test_what_can_be_said_of_all_methods(methods: Any, described: bool, repeatable: bool, streams: bool) -> None:
    orders = service(*methods, described=described)
    assert (orders.repeatable, orders.answers_stream) == (repeatable, streams)
