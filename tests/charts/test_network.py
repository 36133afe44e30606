"""All NetworkPolicies together open what was declared, and nothing beside it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.charts.helpers import APPLICATIONS, NAMESPACE, Object, ci_values, merged, one, refusal, render
from tests.charts.network import Place, allowed, matches

PORTS = (22, 53, 80, 443, 5432, 6379, 7500, 7501, 7600, 7601, 8181)
CIDRS = ["192.0.2.0/24"]
OUTSIDE = [
    Place("declared", "192.0.2.7"),
    Place("public", "203.0.113.9"),
    Place("public-6", "2600::1"),
    Place("mapped", "::ffff:10.0.0.1"),
    Place("metadata", "169.254.169.254"),
    Place("metadata-6", "fd00:ec2::254"),
    Place("node", "10.0.0.1"),
    Place("private", "192.168.3.4"),
    Place("private-12", "172.20.0.1"),
    Place("shared", "100.64.0.1"),
    Place("loopback", "127.0.0.1"),
    Place("link-local-6", "fe80::1"),
]
PUBLIC = {"declared", "public", "public-6"}


def pod(name: str, address: str, namespace: str = NAMESPACE, **labels: str) -> Place:
    return Place(name, address, namespace, tuple(sorted(labels.items())))


DNS = pod("dns", "10.1.0.53", "kube-system", **{"k8s-app": "kube-dns"})
CLIENT = pod("client", "10.1.0.60", **{"firebreak.dev/client": "true"})
STRANGERS = [
    pod("stranger", "10.1.0.61"),
    pod("neighbour", "10.1.0.62", "elsewhere", **{"firebreak.dev/client": "true"}),
    pod("false-gateway", "10.1.0.63", "elsewhere", **{"app.kubernetes.io/name": "firebreak-gateway"}),
    pod("false-dns", "10.1.0.64", **{"k8s-app": "kube-dns"}),
]


def service(name: str, **over: Any) -> list[Object]:
    base = ci_values("service", "calculator")
    declared = [f"{each['host']}:{each['port']}" for each in over.get("egress", [])]
    return render("service", merged(base, {"service": {"name": name, "egress": declared}}, over), release=name)


def rendered_pod(objects: list[Object], name: str, address: str) -> Place:
    """The pod that a workload makes, with the labels that it gets."""
    return pod(name, address, **one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"])


def together() -> tuple[list[Object], list[Place]]:
    """Gateway and services of three kinds: shut, with addresses, and open to public ones."""
    made: dict[str, list[Object]] = {
        "shut": service("shut"),
        "some": service("some", egress=[{"host": "a.example.org", "port": 443, "cidrs": CIDRS}]),
        "any": service("any", egress=[{"host": "b.example.org", "port": 80, "cidrs": []}], egressAnywhere=True),
    }
    if "gateway" in APPLICATIONS:
        made["gateway"] = render("gateway", ci_values("gateway", "minimal"))
    pods = [rendered_pod(objects, name, f"10.1.0.{number}") for number, (name, objects) in enumerate(made.items(), 1)]
    objects = [item for group in made.values() for item in group]
    return [item for item in objects if item["kind"] == "NetworkPolicy"], pods


def declared() -> set[tuple[str, str, int, str]]:
    services = ("shut", "some", "any")
    ways = {(name, "gateway", 7500, "TCP") for name in services} | {("gateway", name, 7600, "TCP") for name in services}
    ways |= {(name, "dns", 53, protocol) for name in (*services, "gateway") for protocol in ("TCP", "UDP")}
    ways |= {("some", "declared", 443, "TCP")} | {("any", name, 80, "TCP") for name in PUBLIC}
    return ways | {("client", "gateway", 7500, "TCP")}


def opened(policies: list[Object], places: list[Place]) -> Iterator[tuple[str, str, int, str]]:
    for source, target in itertools.permutations(places, 2):
        for port, protocol in itertools.product(PORTS, ("TCP", "UDP")):
            if allowed(policies, source, target, port, protocol):
                yield (source.name, target.name, port, protocol)


def test_exactly_what_was_declared_is_open():
    policies, pods = together()
    ours = {place.name for place in pods}
    found = {way for way in opened(policies, [*pods, DNS, CLIENT, *STRANGERS, *OUTSIDE]) if {way[0], way[1]} & ours}
    assert found == declared()


NODE_LOCAL = Place("node-local-dns", "169.254.20.10")
OTHER_DNS = pod("other-dns", "10.1.0.54", "dns", **{"app": "names"})
DNS_PEERS = [
    {"ipBlock": {"cidr": "169.254.20.10/32"}},
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "dns"}},
        "podSelector": {"matchLabels": {"app": "names"}},
    },
]


@pytest.mark.parametrize("chart", ["service", "gateway"])
@pytest.mark.parametrize("peers", [[], DNS_PEERS], ids=["none", "two"])
def test_names_are_asked_of_those_that_are_declared_too(chart: str, peers: list[Any]):
    objects = render(chart, ci_values(chart, {"service": "calculator", "gateway": "minimal"}[chart]), {"dns": peers})
    mine = rendered_pod(objects, chart, "10.1.0.9")
    asked = [DNS, NODE_LOCAL, OTHER_DNS, *STRANGERS, *OUTSIDE]
    found = {way[1:] for way in opened([one(objects, "NetworkPolicy")], [mine, *asked]) if way[0] == mine.name}
    wanted = {"dns", *({NODE_LOCAL.name, OTHER_DNS.name} if peers else ())}
    assert {way for way in found if way[1] == 53} == {
        (name, 53, protocol) for name in wanted for protocol in ("TCP", "UDP")
    }


@pytest.mark.parametrize("chart", ["service", "gateway"])
@pytest.mark.parametrize(
    "peer", [{}, {"ipBlock": {"cidr": "0.0.0.0/0"}}, {"podSelector": {}}, {"cidr": "169.254.20.10/32"}]
)
def test_names_are_never_asked_of_everybody(chart: str, peer: Any):
    base = ci_values(chart, {"service": "calculator", "gateway": "minimal"}[chart])
    assert "dns" in refusal(chart, base, {"dns": [peer]})


def test_a_service_of_another_namespace_has_its_gateway_there():
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}
    objects = service("far", gateway={"address": "firebreak-gateway.elsewhere:7500", "namespaceSelector": selector})
    far = rendered_pod(objects, "far", "10.1.0.9")
    gateway = STRANGERS[2]
    policy = [one(objects, "NetworkPolicy")]
    assert allowed(policy, far, gateway, 7500) and allowed(policy, gateway, far, 7600)
    assert not allowed(policy, gateway, far, 7500)
    assert not any(allowed(policy, far, other, 7500) for other in STRANGERS if other is not gateway)


@pytest.mark.parametrize(
    ("egress", "declares", "said"),
    [
        ([{"host": "a.example.org", "port": 443, "cidrs": []}], ["a.example.org"], "egressAnywhere"),
        ([{"host": "a.example.org", "port": 443, "cidrs": ["0.0.0.0/0"]}], ["a.example.org"], "every address"),
        ([], ["a.example.org"], "no such entry"),
        ([{"host": "a.example.org", "port": 443, "cidrs": CIDRS}], [], "does not declare"),
    ],
)
def test_egress_that_says_two_things_is_refused(egress: list[Mapping[str, Any]], declares: list[str], said: str):
    over = {"service": {"egress": declares}, "egress": egress}
    assert said in refusal("service", ci_values("service", "calculator"), over)


def test_every_workload_has_exactly_one_policy_for_both_directions():
    policies, pods = together()
    for place in pods:
        types = [p["spec"]["policyTypes"] for p in policies if matches(p["spec"]["podSelector"], dict(place.labels))]
        assert types == [["Ingress", "Egress"]], place.name
