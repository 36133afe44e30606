"""What NetworkPolicies allow, by their definition: policies that select a pod add up, and without one all is open."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """An end of a connection: a pod with its labels and namespace, or with namespace "" an address outside the cluster."""

    name: str
    address: str
    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()


def allowed(policies: Sequence[Policy], source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` may open a connection: both its own policies and those of `target` must let it."""
    out = _lets(policies, source, target, port, protocol, "Egress", "egress", "to")
    return out and _lets(policies, target, source, port, protocol, "Ingress", "ingress", "from")


def _lets(policies: Sequence[Policy], pod: Place, peer: Place, port: int, protocol: str, *words: str) -> bool:
    kind, rules, peers = words
    mine = [policy for policy in policies if _selects(policy, pod) and kind in _types(policy["spec"])]
    return not mine or any(
        _peers(rule.get(peers), peer, policy["metadata"]["namespace"]) and _ports(rule.get("ports"), port, protocol)
        for policy in mine
        for rule in policy["spec"].get(rules) or []
    )


def _types(spec: Mapping[str, Any]) -> Sequence[str]:
    declared: Sequence[str] = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return declared


def _selects(policy: Policy, pod: Place) -> bool:
    same = bool(pod.namespace) and policy["metadata"]["namespace"] == pod.namespace
    return same and matches(policy["spec"]["podSelector"], dict(pod.labels))


def _peers(peers: Sequence[Mapping[str, Any]] | None, place: Place, namespace: str) -> bool:
    """No peers at all, or an empty list, are all peers."""
    return not peers or any(_peer(peer, place, namespace) for peer in peers)


def _peer(peer: Mapping[str, Any], place: Place, namespace: str) -> bool:
    if "ipBlock" in peer:
        return _within(place.address, peer["ipBlock"])
    if not place.namespace:
        return False
    if "namespaceSelector" not in peer:
        near = place.namespace == namespace
    else:
        near = matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": place.namespace})
    return near and matches(peer.get("podSelector", {}), dict(place.labels))


def _within(address: str, block: Mapping[str, Any]) -> bool:
    where = ipaddress.ip_address(address)
    inside = where in ipaddress.ip_network(block["cidr"])
    return inside and not any(where in ipaddress.ip_network(hole) for hole in block.get("except", []))


def _ports(ports: Sequence[Mapping[str, Any]] | None, port: int, protocol: str) -> bool:
    """No ports at all are all ports."""
    return not ports or any(
        entry.get("protocol", "TCP") == protocol
        and ("port" not in entry or entry["port"] <= port <= entry.get("endPort", entry["port"]))
        for entry in ports
    )


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects; an empty one selects everything."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(_expression(each, labels) for each in selector.get("matchExpressions", []))


def _expression(each: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(each["key"])
    return {
        "In": value in each.get("values", []),
        "NotIn": value not in each.get("values", []),
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[str(each["operator"])]
