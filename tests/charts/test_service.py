"""What charts/service promises of its pods, read from the objects."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from firebreak_runtime.options import read_options
from firebreak_runtime.walls import TESTED

from gateway.config import ServiceConfig
from tests.charts.cases import SERVICE, TLS, every
from tests.charts.helpers import VERSIONS, Object, ci_values, container, one, refusal, render, workloads

CASES = {"plain": {}, **SERVICE}


def objects(over: Any = None) -> list[Object]:
    return render("service", ci_values("service", "calculator"), over or {})


def pod(made: list[Object]) -> Object:
    spec: Object = one(made, "Deployment")["spec"]["template"]["spec"]
    return spec


def option(arguments: list[str], name: str) -> list[str]:
    """Every value of an option, written NAME=VALUE."""
    return [item.split("=", 1)[1] for item in arguments if item.startswith(f"{name}=")]


def arguments(over: Any = None) -> list[str]:
    given: list[str] = container(one(objects(over), "Deployment"), "service")["args"]
    return given


@pytest.mark.parametrize("case", CASES)
def test_the_only_token_is_the_one_for_the_gateway(case: str):
    made = objects(CASES[case])
    account = one(made, "ServiceAccount")
    assert account["automountServiceAccountToken"] is pod(made)["automountServiceAccountToken"] is False
    assert account["metadata"]["name"] == pod(made)["serviceAccountName"] == "calculator"
    tokens = [
        source["serviceAccountToken"]
        for volume in pod(made)["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    assert tokens == [{"audience": "firebreak", "expirationSeconds": 3600, "path": "token"}]


def test_the_token_is_where_the_host_looks_for_it():
    made = objects()
    mount = {m["name"]: m["mountPath"] for m in container(one(made, "Deployment"), "service")["volumeMounts"]}
    assert option(arguments(), "--token-file") == [f"{mount['token']}/token"]


@pytest.mark.parametrize("case", CASES)
def test_walls_of_the_container(case: str):
    made = objects(CASES[case])
    assert container(one(made, "Deployment"), "service")["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "privileged": False,
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    spec = pod(made)
    assert (spec["hostNetwork"], spec["hostPID"], spec["hostIPC"], spec["enableServiceLinks"]) == (False,) * 4


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_written_to_is_memory_with_a_bound(case: str):
    made = objects(CASES[case])
    volumes = {volume["name"]: volume for volume in pod(made)["volumes"]}
    mounts = container(one(made, "Deployment"), "service")["volumeMounts"]
    writable = {m["mountPath"]: m["name"] for m in mounts if not m.get("readOnly")}
    given = container(one(made, "Deployment"), "service")["args"]
    assert list(writable) == option(given, "--writable") == ["/tmp", "/dev/shm"]
    assert all(volumes[name]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"} for name in writable.values())
    assert not any("hostPath" in volume for volume in volumes.values())


def test_limits_are_the_values_and_requests_the_same():
    over = {"resources": {"memory": "2Gi", "cpu": "3", "ephemeralStorage": "96Mi", "scratch": "32Mi"}}
    bounds = container(one(objects(over), "Deployment"), "service")["resources"]
    assert bounds["limits"] == bounds["requests"] == {"memory": "2Gi", "cpu": "3", "ephemeral-storage": "96Mi"}


def test_a_request_for_cores_may_be_less_than_the_limit():
    bounds = container(one(objects({"resources": {"cpuRequest": "100m"}}), "Deployment"), "service")["resources"]
    assert (bounds["requests"]["cpu"], bounds["limits"]["cpu"]) == ("100m", "1")


@pytest.mark.parametrize(
    ("given", "sandbox"),
    [
        ({"processes": 64}, {"processes": 64}),
        ({"scratch": "32Mi"}, {"scratch": 32 * 1024**2}),
        ({"scratch": "64M", "processes": 99}, {"scratch": 64_000_000, "processes": 99}),
        ({"scratch": "1.5Gi", "memory": "4Gi"}, {"scratch": 1536 * 1024**2}),
        ({"scratch": "65536Ki"}, {}),
    ],
)
def test_bounds_are_handed_to_the_runtime(given: dict[str, Any], sandbox: dict[str, int]):
    text = yaml.safe_load(one(objects({"resources": given}), "ConfigMap")["data"]["service.yaml"])
    assert set(text.get("sandbox", {})) == set(sandbox)
    config = ServiceConfig.model_validate(text)
    assert {"processes": 256, "scratch": 64 * 1024**2} | sandbox == {
        "processes": config.sandbox.processes, "scratch": config.sandbox.scratch,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sandbox", "resources", "said"),
    [
        ({"processes": 64}, {}, "sandbox.processes is 64 and resources.processes 256"),
        ({"scratch": "32MiB"}, {}, "sandbox.scratch is 32MiB and resources.scratch 64Mi"),
        ({"scratch": "64MiB"}, {"scratch": "64M"}, "sandbox.scratch is 64MiB and resources.scratch 64M"),
        ({"memory": "2GiB"}, {"memory": "2047Mi"}, "sandbox.memory is 2GiB, resources.memory only 2047Mi"),
        ({}, {"memory": "319Mi"}, "one worker may use 256MiB (service.runtime.memory) and scratch 64Mi"),
        ({"scratch": "64 MiB"}, {}, "is no size"),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(sandbox: Any, resources: Any, said: str):
    over = {"service": {"sandbox": sandbox}, "resources": resources}
    assert said in refusal("service", ci_values("service", "calculator"), over)


@pytest.mark.parametrize(
    ("sandbox", "resources"),
    [
        ({"processes": 64}, {"processes": 64}),
        ({"scratch": "32MiB"}, {"scratch": "32Mi"}),
        ({"memory": "2GiB"}, {"memory": "2Gi"}),
        ({}, {"memory": "320Mi"}),
    ],
)
def test_bounds_that_agree_are_taken(sandbox: Any, resources: Any):
    text = one(objects({"service": {"sandbox": sandbox}, "resources": resources}), "ConfigMap")["data"]["service.yaml"]
    assert yaml.safe_load(text).get("sandbox", {}) == sandbox


def test_all_promises_are_made_and_each_can_be_taken_back():
    made = option(arguments(), "--promise")
    assert set(made) == set(TESTED) - {"landlock", "limits"}, "those two are the host's own work"
    for name in made:
        assert set(option(arguments({"promises": {name: False}}), "--promise")) == set(made) - {name}


@pytest.mark.parametrize("wrong", [{"promises": {"landlock": False}}, {"promises": {"network": "no"}}])
def test_a_promise_that_there_is_not_is_refused(wrong: Any):
    assert "promises" in refusal("service", ci_values("service", "calculator"), wrong)


def every_host() -> list[Any]:
    """The arguments of every service's host in every case, by name."""
    made = [(f"{case}:{item['metadata']['name']}", item) for case, objects in every(VERSIONS[0])
            for item in workloads(objects)
            if item["spec"]["template"]["metadata"]["labels"]["firebreak.dev/component"] == "service"]  # fmt: skip
    return [(name, container(item, "service")["args"]) for name, item in made]


def test_the_host_takes_its_arguments_in_every_case():
    hosts = every_host()
    assert len(hosts) > len(SERVICE)
    for name, given in hosts:
        options = read_options(given)
        assert vars(options)["listen"] == "0.0.0.0:7600", name
        assert options.enclose == "best-effort" and options.network_policy, name
        assert bool(options.health) == bool(options.tls_key) == bool(options.gateway_ca), name


@pytest.mark.parametrize(
    ("max_deadline", "grace"), [("10s", 10), ("2m", 120), ("1500ms", 2), ("1h", 3600), (None, 120)]
)
def test_a_pod_that_ends_lets_its_longest_call_end_first(max_deadline: str | None, grace: int):
    over = {"service": {"limits": {"max_deadline": max_deadline}}}
    made = objects(over) if max_deadline else render("service", _without_limits())
    assert option(container(one(made, "Deployment"), "service")["args"], "--grace") == [str(grace)]
    assert pod(made)["terminationGracePeriodSeconds"] == 8 + grace + 10


@pytest.mark.parametrize(
    ("seconds", "expected"), [(8, "import time; time.sleep(8)"), (300, "import time; time.sleep(300)")]
)
def test_a_pod_that_ends_goes_on_until_names_lead_to_the_others(seconds: int, expected: str):
    made = objects({"preStop": seconds, "service": {"limits": {"max_deadline": "10s"}}})
    hook = container(one(made, "Deployment"), "service")["lifecycle"]["preStop"]["exec"]["command"]
    assert hook == ["python", "-I", "-c", expected]
    assert pod(made)["terminationGracePeriodSeconds"] == seconds + 10 + 10


def test_without_a_pause_a_pod_ends_at_once():
    assert "lifecycle" not in container(one(objects({"preStop": 0}), "Deployment"), "service")


@pytest.mark.parametrize("seconds", [-1, 301, 1.5])
def test_a_pause_that_is_none_is_refused(seconds: float):
    assert "preStop" in refusal("service", ci_values("service", "calculator"), {"preStop": seconds})


def _without_limits() -> dict[str, Any]:
    values = dict(ci_values("service", "calculator"))
    values["service"] = {key: value for key, value in values["service"].items() if key != "limits"}
    return values


@pytest.mark.parametrize(("start", "seconds"), [("60s", 60), ("3m", 180)])
def test_a_start_gets_the_time_that_service_yaml_gives_it(start: str, seconds: int):
    probe = container(one(objects({"service": {"runtime": {"start_timeout": start}}}), "Deployment"), "service")
    startup, liveness = probe["startupProbe"], probe["livenessProbe"]
    assert startup["grpc"] == liveness["grpc"] == probe["readinessProbe"]["grpc"] == {"port": 7600}
    assert option(probe["args"], "--health") == [] and [port["containerPort"] for port in probe["ports"]] == [7600]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= seconds
    assert liveness["periodSeconds"] * liveness["failureThreshold"] >= seconds


@pytest.mark.parametrize("case", TLS)
def test_with_tls_health_has_a_port_and_both_ways_have_certificates(case: str):
    made = objects(TLS[case])
    host = container(one(made, "Deployment"), "service")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert host[probe]["grpc"] == {"port": 7601}
    assert option(host["args"], "--health") == ["0.0.0.0:7601"]
    assert {"name": "health", "containerPort": 7601, "protocol": "TCP"} in host["ports"]
    folder = next(m["mountPath"] for m in host["volumeMounts"] if m["name"] == "tls")
    names = ("--tls-certificate", "--tls-key", "--tls-client-ca", "--gateway-ca")
    assert [option(host["args"], name) for name in names] == [
        [f"{folder}/{file}"] for file in ("tls.crt", "tls.key", "ca.crt", "ca.crt")
    ]


def test_a_certificate_names_the_service_and_its_account():
    spec = one(objects(TLS["cert-manager"]), "Certificate")["spec"]
    assert spec["secretName"] == "calculator-tls" and "calculator.agents.svc" in spec["dnsNames"]
    assert spec["uris"] == ["spiffe://cluster.local/ns/agents/sa/calculator"]
    assert not [item for item in objects(TLS["spiffe"]) if item["kind"] in ("Certificate", "Secret")]


def test_service_yaml_in_the_pod_is_the_text_of_the_values():
    text = yaml.safe_load(one(objects(), "ConfigMap", "calculator")["data"]["service.yaml"])
    assert text == ci_values("service", "calculator")["service"]
    config = ServiceConfig.model_validate(text)
    assert (config.name, config.limits.max_deadline) == ("calculator", 10)


def test_another_service_yaml_is_another_pod():
    def annotations(over: Any) -> Any:
        return one(objects(over), "Deployment")["spec"]["template"]["metadata"]["annotations"]

    assert annotations({}) != annotations({"service": {"limits": {"max_deadline": "11s"}}})
    assert annotations({}) == annotations({"replicas": 4})


def test_every_object_is_called_by_the_service_and_its_object_is_headless():
    made = objects()
    assert {item["metadata"]["name"] for item in made} == {"calculator"}
    spec = one(made, "Service")["spec"]
    assert spec["clusterIP"] == "None" and [port["port"] for port in spec["ports"]] == [7600]
    labels = one(made, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"].items() <= labels.items()
    assert one(made, "Deployment")["spec"]["selector"]["matchLabels"] == spec["selector"] == {
        "app.kubernetes.io/name": "firebreak-service", "app.kubernetes.io/instance": "calculator",
    }  # fmt: skip
    assert (labels["app.kubernetes.io/part-of"], labels["firebreak.dev/component"]) == ("firebreak", "service")


def test_values_reach_the_pod():
    made = objects({"runtimeClassName": "kata", "userNamespace": True, "secret": "keys", "replicas": 3})
    assert pod(made)["runtimeClassName"] == "kata" and pod(made)["hostUsers"] is False
    assert one(made, "Deployment")["spec"]["replicas"] == 3
    secret = next(v for v in pod(made)["volumes"] if v["name"] == "secret")["secret"]
    assert secret["secretName"] == "keys"
    assert option(container(one(made, "Deployment"), "service")["args"], "--secrets") == ["/var/run/secrets/service"]


def test_a_digest_counts_more_than_a_tag():
    digest = f"sha256:{'b' * 64}"
    image = container(one(objects({"image": {"digest": digest}}), "Deployment"), "service")["image"]
    assert image == f"ghcr.io/example/firebreak-calculator@{digest}"
    assert re.fullmatch(r".*:1\.0\.0", container(one(objects(), "Deployment"), "service")["image"])
