"""What an upgrade in place can break, from the objects before and after: pods of both run side by side for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.charts.helpers import Object, containers
from tests.charts.network import matches

FROZEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "Deployment": (("spec", "selector"),),
    "Service": (("spec", "clusterIP"), ("spec", "selector")),
    "StatefulSet": (("spec", "selector"), ("spec", "serviceName"), ("spec", "volumeClaimTemplates")),
    "PersistentVolumeClaim": (("spec", "accessModes"), ("spec", "storageClassName"), ("spec", "volumeName")),
    "Secret": (("type",), ("immutable",), ("metadata", "annotations", "helm.sh/resource-policy")),
    "ConfigMap": (("immutable",),),
    "PodDisruptionBudget": (("spec", "selector"),),
    "NetworkPolicy": (("spec", "podSelector"), ("spec", "policyTypes")),
}
"""By kind, what cannot be changed, or must not as pods of both versions are meant. An object that is gone is found as well."""


def broken(before: list[Object], now: list[Object]) -> list[str]:
    """Everything of `before` that an upgrade to `now` refuses, loses, or takes from the pods that still run."""
    found = [*_frozen(before, now)]
    for old in _deployments(before):
        found += [*_unselected(old, now), *_unreachable(old, before, now), *_unmounted(old, now)]
    return found


def _frozen(before: list[Object], now: list[Object]) -> Iterator[str]:
    present = {_who(item): item for item in now}
    for item in before:
        if (other := present.get(_who(item))) is None:
            yield f"{_who(item)}: is gone"
            continue
        for path in FROZEN.get(item["kind"], ()):
            if _at(item, path) != _at(other, path):
                yield f"{_who(item)}: {'.'.join(path)} changed"


def _unselected(old: Object, now: list[Object]) -> Iterator[str]:
    """Objects that select the new pods of a workload, but not those that run."""
    new = next((item for item in _deployments(now) if _who(item) == _who(old)), None)
    for item in now if new is not None else []:
        if (selector := _selector(item)) is not None and _picks(selector, new) and not _picks(selector, old):
            yield f"{_who(item)}: does not select the pods of {_who(old)} that run"


def _unreachable(old: Object, before: list[Object], now: list[Object]) -> Iterator[str]:
    """Ports that callers know and are gone, and ports of a Service that pods which run do not have."""
    has = {port["name"]: port["containerPort"] for each in containers(old) for port in each.get("ports", [])}
    for item in (item for item in before if item["kind"] == "Service" and _picks(_selector(item), old)):
        there = {(port["name"], port["port"]): port for service in now if _who(service) == _who(item)
                 for port in service["spec"]["ports"]}  # fmt: skip
        for port in item["spec"]["ports"]:
            if (port["name"], port["port"]) not in there:
                yield f"{_who(item)}: port {port['name']} {port['port']} is gone"
        for port in there.values():
            if port["targetPort"] not in has and port["targetPort"] not in has.values():
                yield f"{_who(item)}: the pods that run have no port {port['targetPort']}"


def _unmounted(old: Object, now: list[Object]) -> Iterator[str]:
    """Keys of the release's own ConfigMaps and Secrets that pods which run mount, and that are gone: none of the volume's
    files is renewed then, and no container of the pod can start again."""
    data = {(item["kind"], item["metadata"]["name"]): item.get("data", {}) for item in now}
    for volume in old["spec"]["template"]["spec"].get("volumes", []):
        for kind, name, keys in _sources(volume):
            wanted = keys or _sub_paths(old, volume["name"])
            for key in wanted if (kind, name) in data else []:
                if key not in data[kind, name]:
                    yield f"{kind} {name}: key {key} is gone"


def _sources(volume: Object) -> Iterator[tuple[str, str, list[str]]]:
    for source in volume.get("projected", {}).get("sources", [volume]):
        for field, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
            if (found := source.get(field)) is not None:
                yield kind, found.get(name) or found["name"], [item["key"] for item in found.get("items", [])]


def _sub_paths(workload: Object, volume: str) -> list[str]:
    mounts = [mount for each in containers(workload) for mount in each.get("volumeMounts", [])]
    return [mount["subPath"] for mount in mounts if mount["name"] == volume and "subPath" in mount]


def _deployments(objects: list[Object]) -> list[Object]:
    return [item for item in objects if item["kind"] == "Deployment"]


def _selector(item: Object) -> Any:
    """The label selector for pods of an object that has one."""
    if item["kind"] == "Service":
        return {"matchLabels": item["spec"]["selector"]}
    field = {"PodDisruptionBudget": "selector", "NetworkPolicy": "podSelector"}.get(item["kind"])
    return item["spec"][field] if field is not None else None


def _picks(selector: Any, workload: Object) -> bool:
    return matches(selector, workload["spec"]["template"]["metadata"]["labels"])


def _who(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def _at(item: Object, path: tuple[str, ...]) -> Any:
    value: Any = item
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
