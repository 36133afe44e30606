"""What is rendered is what Kubernetes takes, and what the charts do not know they refuse."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from tests.charts.cases import BASE, every
from tests.charts.helpers import APPLICATIONS, VERSIONS, Object, charts, ci_values, refusal

FOREIGN: dict[str, tuple[str, tuple[str, ...]]] = {
    "Certificate": ("cert-manager.io/v1", ("secretName", "issuerRef", "dnsNames")),
    "ServiceMonitor": ("monitoring.coreos.com/v1", ("selector", "endpoints")),
    "PrometheusRule": ("monitoring.coreos.com/v1", ("groups",)),
}
"""Kinds that Kubernetes itself does not know: their version, and what their specs must have."""

CHARTS = sorted(BASE.keys() & set(APPLICATIONS))
SERVICES = ("calculator", "handbook", "python", "sql", "web-fetch", "router", "assistant", "assistant-classic")

OPEN = {
    "service": {("global",), ("firebreak-common", "global"), ("service",), ("service", "limits"), ("service", "runtime"),
                ("service", "sandbox"), ("service", "egress", "[]"), ("gateway", "namespaceSelector", "matchLabels"),
                *(("dns", "[]", selector, "matchLabels") for selector in ("podSelector", "namespaceSelector"))},
    "gateway": {("global",), ("firebreak-common", "global"), ("services",), ("policies",), ("installed",),
                ("monitoring", "labels"),
                *((place, "[]", selector, "matchLabels") for place in ("clients", "scrapers", "egress", "dns")
                  for selector in ("podSelector", "namespaceSelector"))},
    "firebreak": {("global",), ("firebreak-gateway",), *((name,) for name in SERVICES)},
}  # fmt: skip
"""Where a schema leaves keys open: Helm's own, labels, names of files and services, service.yaml, which `firebreak` checks, and
what another chart's schema checks."""


@pytest.fixture(autouse=True, scope="module")
def schemas_read_once() -> Iterator[None]:
    """The validator reads megabytes of JSON for each object; they do not change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", functools.cache(utils.schema_contents))
        yield


@pytest.mark.parametrize("kube", VERSIONS)
def test_kubernetes_takes_every_object(kube: str):
    for case, objects in every(kube):
        assert objects, case
        for item in objects:
            valid(item, kube, case)


def valid(item: Object, kube: str, case: str) -> None:
    if item["kind"] in FOREIGN:
        version, needed = FOREIGN[item["kind"]]
        assert item["apiVersion"] == version, case
        assert all(item["spec"].get(key) for key in needed), f"{case}: {item}"
        return
    try:
        kubernetes_validate.validate(item, kube, strict=True)
    except kubernetes_validate.ValidationError as error:
        pytest.fail(f"{case}: {item['kind']} {item['metadata']['name']}: {list(error.absolute_path)}: {error.message}")


def test_a_field_that_kubernetes_does_not_know_is_found():
    item: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dat": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(item, VERSIONS[0], strict=True)


def objects_in(schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    """Every schema of an object below a schema, with the keys that lead there; "[]" for an item of a list."""
    if "$ref" in schema:
        target: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        schema = target
    if schema.get("type") == "object" or "properties" in schema:
        yield path, schema
    for key, inner in schema.get("properties", {}).items():
        yield from objects_in(inner, root, (*path, key))
    if isinstance(schema.get("items"), Mapping):
        yield from objects_in(schema["items"], root, (*path, "[]"))
    for word in ("oneOf", "anyOf", "allOf"):
        for inner in schema.get(word, []):
            yield from objects_in(inner, root, path)


def schema_of(chart: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((charts() / chart / "values.schema.json").read_text())
    return schema


@pytest.mark.parametrize("chart", sorted(OPEN))
def test_a_schema_leaves_no_keys_open_but_those_named_here(chart: str):
    schema = schema_of(chart)
    found = {path for path, inner in objects_in(schema, schema) if inner.get("additionalProperties") is not False}
    assert found == OPEN[chart]


def nested(path: tuple[str, ...], value: Any) -> Any:
    for key in reversed(path):
        value = [value] if key == "[]" else {key: value}
    return value


@pytest.mark.parametrize("chart", CHARTS)
def test_an_unknown_key_at_any_level_is_refused(chart: str):
    schema = schema_of(chart)
    closed = [path for path, inner in objects_in(schema, schema) if inner.get("additionalProperties") is False]
    assert () in closed
    for paths in at_once(closed):
        over = {f"unknown-{number}": path for number, path in enumerate(paths)}
        said = refusal(chart, ci_values(chart, BASE[chart]), *(nested((*path, key), 1) for key, path in over.items()))
        assert [path for key, path in over.items() if key not in said] == []


def at_once(paths: list[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    """Those that one rendering can try together: a list takes the place of another one."""
    apart = [[path] for path in paths if "[]" in path]
    return [[path for path in paths if "[]" not in path], *apart]


def test_the_umbrella_refuses_unknown_keys_of_each_of_its_charts():
    over = {name: {f"unknown-{name}": 1} for name in ("firebreak-gateway", *SERVICES)}
    deep = {
        "firebreak-gateway": {"redis": {"passwordSecret": {"unknown-deep": 1}}},
        "sql": {"image": {"unknown-tag": 1}},
    }
    said = refusal("firebreak", ci_values("firebreak", "web-fetch"), over, deep)
    for key in (*(f"unknown-{name}" for name in over), "unknown-deep", "unknown-tag"):
        assert key in said


@pytest.mark.parametrize("chart", CHARTS)
def test_the_schema_knows_every_default(chart: str):
    defaults = yaml.safe_load((charts() / chart / "values.yaml").read_text())
    assert set(defaults) <= set(schema_of(chart)["properties"])
