"""What charts/gateway promises of its pods, read from the objects; its configuration is loaded by the gateway's own reader."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway import lifecycle
from gateway.adapters.config_files import Loaded, load
from gateway.adapters.telemetry import batches
from gateway.adapters.telemetry.lines import LineWriter
from gateway.adapters.telemetry.recorder import make_record
from gateway.config import Admission, Journal, Rate, Retention, Telemetry
from tests.charts.cases import EGRESS, GATEWAY, KEYS, TLS
from tests.charts.helpers import Object, ci, ci_values, container, containers, one, refusal, render
from tests.charts.network import matches

CASES = {"plain": {}, **GATEWAY}
NAME = "firebreak-gateway"
MOUNTED = "/etc/firebreak"


def objects(over: Any = None, base: str = "minimal") -> list[Object]:
    return render("gateway", ci_values("gateway", base), over or {})


def pod(made: list[Object]) -> Object:
    spec: Object = one(made, "Deployment")["spec"]["template"]["spec"]
    return spec


def gateway(made: list[Object]) -> Object:
    return container(one(made, "Deployment"), "gateway")


def put(made: list[Object], folder: Path) -> Path:
    """Writes what the pod would see at /etc/firebreak, as its volumes say, and returns firebreak.yaml."""
    volumes = {volume["name"]: volume for volume in pod(made)["volumes"]}
    for mount in gateway(made)["volumeMounts"]:
        for kind, source in sources(volumes[mount["name"]]):
            for key, path in items(made, kind, source):
                place = mount["mountPath"] if "subPath" in mount else f"{mount['mountPath']}/{path}"
                if place.startswith(MOUNTED):
                    write(folder / place.removeprefix(f"{MOUNTED}/"), content(made, kind, source, key), folder)
    return folder / "firebreak.yaml"


def sources(volume: Object) -> list[tuple[str, Object]]:
    listed = volume.get("projected", {}).get("sources", [volume])
    return [(kind, each[kind]) for each in listed for kind in ("configMap", "secret") if kind in each]


def items(made: list[Object], kind: str, source: Object) -> list[tuple[str, str]]:
    if "items" in source:
        return [(item["key"], item["path"]) for item in source["items"]]
    found = _find(made, kind, source)
    names = list(found["data"]) if found else ["tls.crt", "tls.key", "ca.crt"]  # a Secret of the user's
    return [(name, name) for name in names]


def content(made: list[Object], kind: str, source: Object, key: str) -> str:
    found = _find(made, kind, source)
    if found is None:
        return "somebody else's"
    text: str = found["data"][key]
    return base64.b64decode(text).decode() if kind == "secret" else text


def _find(made: list[Object], kind: str, source: Object) -> Object | None:
    wanted = ("ConfigMap", source.get("name")) if kind == "configMap" else ("Secret", source.get("secretName"))
    return next((item for item in made if (item["kind"], item["metadata"]["name"]) == wanted), None)


def write(file: Path, text: str, folder: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.replace(MOUNTED, str(folder)))


def loaded(made: list[Object], folder: Path) -> Loaded:
    """The gateway's reader on these files, but those in /var/run and /tmp, which only a pod has."""
    return load(put(made, folder))


@pytest.mark.parametrize("case", CASES)
def test_the_gateway_loads_its_configuration(case: str, tmp_path: Path):
    found = loaded(objects(CASES[case]), tmp_path)
    values = ci_values("gateway", "minimal")
    assert [config.name for _, config in found.services] == sorted(values["services"])
    assert found.config.drain == 15


@pytest.mark.parametrize("name", [file.name.removesuffix("-values.yaml") for file in ci("gateway")])
def test_the_gateway_loads_the_configuration_of_its_examples(name: str, tmp_path: Path):
    found = loaded(objects({}, name), tmp_path)
    values = ci_values("gateway", name)
    assert sorted(config.name for _, config in found.services) == sorted(values["services"])
    for path, text in values["policies"].items():
        written = next(file for file in tmp_path.rglob(Path(path).name) if str(file).endswith(path))
        assert written.read_text().rstrip() == text.rstrip()


def test_only_subjects_of_the_own_namespace_are_services(tmp_path: Path):
    issuer = loaded(objects(), tmp_path).config.identity.issuers[0]
    assert (issuer.subject_prefix, issuer.prefix, issuer.audience) == (
        "system:serviceaccount:agents:", "service:", "firebreak",
    )  # fmt: skip


def test_users_are_a_second_issuer(tmp_path: Path):
    issuers = loaded(objects(GATEWAY["users"]), tmp_path).config.identity.issuers
    assert [issuer.prefix for issuer in issuers] == ["service:", "user:"]


@pytest.mark.parametrize("case", CASES)
def test_no_token_and_walls_around_each_container(case: str):
    made = objects(CASES[case])
    spec = pod(made)
    assert one(made, "ServiceAccount")["automountServiceAccountToken"] is spec["automountServiceAccountToken"] is False
    assert "serviceAccountToken" not in json.dumps(spec["volumes"])
    for each in containers(one(made, "Deployment")):
        walls = each["securityContext"]
        assert walls["readOnlyRootFilesystem"] is walls["runAsNonRoot"] is True
        assert walls["privileged"] is walls["allowPrivilegeEscalation"] is False
        assert (walls["capabilities"], walls["seccompProfile"]) == ({"drop": ["ALL"]}, {"type": "RuntimeDefault"})
        assert each["resources"]["limits"] == each["resources"]["requests"]


def test_limits_are_the_values():
    over = {"resources": {"memory": "1Gi", "cpu": "2", "ephemeralStorage": "300Mi", "scratch": "48Mi"}}
    made = objects(over)
    expected = {"memory": "1Gi", "cpu": "2", "ephemeral-storage": "300Mi"}
    assert gateway(made)["resources"]["limits"] == expected
    assert next(v for v in pod(made)["volumes"] if v["name"] == "scratch")["emptyDir"]["sizeLimit"] == "48Mi"


@pytest.mark.parametrize(("seconds", "before"), [(15, 5), (60, 10)])
def test_a_pod_that_ends_has_the_time_for_all_that_it_promises(seconds: int, before: int, tmp_path: Path):
    made = objects({"drain": {"seconds": seconds, "preStop": before}})
    waits = re.search(r"sleep\((\d+)\)", gateway(made)["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert waits is not None and int(waits[1]) == before
    assert loaded(made, tmp_path).config.drain == seconds
    needs = before + seconds + lifecycle.AFTERWARDS + batches.END
    assert pod(made)["terminationGracePeriodSeconds"] >= needs + 2, "and some for the process to go"


def test_connections_have_an_age_so_that_clients_spread_over_pods_that_were_added(tmp_path: Path):
    ages = [loaded(objects(over), tmp_path).config.listeners[0].connection_age for over in ({}, {"connectionAge": 10})]
    assert ages == [300, 10]
    assert "connectionAge" in refusal("gateway", ci_values("gateway", "minimal"), {"connectionAge": 9})


def test_what_is_taken_at_once_is_as_the_values_say(tmp_path: Path):
    def admission(over: Any) -> Any:
        return loaded(objects(over), tmp_path).config.admission

    assert admission({}) == Admission()
    said = {
        "inFlight": 7,
        "principalRate": {"perSecond": 0.5, "burst": 2},
        "maxDepth": 0,
        "sessionCalls": 9,
        "sessionRate": {"perSecond": 12.5, "burst": 6},
        "requestBytes": "3KiB",
        "maxDeadline": "0.5m",
    }
    found = admission({"admission": said})
    assert (found.in_flight, found.max_depth, found.session_calls) == (7, 0, 9)
    assert (found.principal_rate, found.session_rate) == (Rate(per_second=0.5, burst=2), Rate(per_second=12.5, burst=6))
    assert (found.request_bytes, found.max_deadline) == (3 * 1024, 30.0)


@pytest.mark.parametrize(
    ("name", "least", "below"),
    [
        ("maxDepth", 0, -1),
        ("sessionCalls", 1, 0),
        ("sessionRate", {"perSecond": 0.001, "burst": 1}, {"perSecond": 0.001, "burst": 0}),
        ("sessionRate", {"perSecond": 0.001, "burst": 1}, {"perSecond": 0, "burst": 1}),
    ],
)
def test_what_is_taken_has_a_least_value(name: str, least: Any, below: Any):
    assert objects({"admission": {name: least}})
    assert name in refusal("gateway", ci_values("gateway", "minimal"), {"admission": {name: below}})


def test_calls_go_sixty_four_deep_at_most():
    assert objects({"admission": {"maxDepth": 64}})
    assert "maxDepth" in refusal("gateway", ci_values("gateway", "minimal"), {"admission": {"maxDepth": 65}})


@pytest.mark.parametrize("length", ["0s", "0.0s", "10", "1w", "-1s"])
def test_a_duration_is_one_that_the_gateway_takes(length: str):
    assert "maxDeadline" in refusal("gateway", ci_values("gateway", "minimal"), {"admission": {"maxDeadline": length}})


@pytest.mark.parametrize("size", ["0B", "1KB", "10", "1.5MiB"])
def test_a_size_is_one_that_the_gateway_takes(size: str):
    assert "requestBytes" in refusal("gateway", ci_values("gateway", "minimal"), {"admission": {"requestBytes": size}})


def test_the_journal_keeps_what_the_values_say_for_as_long(tmp_path: Path):
    database = {"postgresql": {"urlSecret": {"name": "journal"}}}

    def journal(said: Any) -> Journal:
        return loaded(objects({"journal": {**database, **said}, "egress": EGRESS}), tmp_path).config.journal

    usual = Journal(mode="best-effort", store="postgresql", dsn_file="/var/run/secrets/journal/dsn", heads="/tmp/heads")
    assert journal({}) == usual
    retention = {"content": "0.5h", "person": "2d", "record": "3d", "size": "1GiB"}
    said = {"mode": "required", "timeout": "250ms", "buffer": "1MiB", "inline": "512B", "retention": retention}
    changed = {"mode": "required", "timeout": 0.25, "buffer": 1024**2, "inline": 512}
    assert journal(said) == usual.model_copy(update={**changed, "retention": Retention.model_validate(retention)})


def test_policy_sees_the_claims_that_the_values_name(tmp_path: Path):
    def claims(over: Any) -> Any:
        users = {**GATEWAY["users"]["users"], **over}
        issuers = loaded(objects({**GATEWAY["users"], "users": users}), tmp_path).config.identity.issuers
        return {issuer.name: issuer.claims for issuer in issuers}

    assert claims({}) == {"services": (), "users": ()}
    assert claims({"claims": ["groups", "email"]}) == {"services": (), "users": ("groups", "email")}


@pytest.mark.parametrize("case", ["plain", *TLS])
def test_probes_ask_the_admin_port_which_is_without_tls(case: str):
    made = gateway(objects(CASES[case]))
    asked = {name: made[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {(each["port"], each.get("scheme", "HTTP")) for each in asked.values()} == {("admin", "HTTP")}
    assert (asked["readiness"]["path"], asked["liveness"]["path"]) == ("/readyz", "/healthz")
    assert {port["name"]: port["containerPort"] for port in made["ports"]} == {"grpc": 7500, "admin": 7501}


def test_whatever_selects_pods_selects_these():
    made = objects(GATEWAY["autoscaled"])
    workload = one(made, "Deployment")
    spec, labels = pod(made), workload["spec"]["template"]["metadata"]["labels"]
    selectors = [
        workload["spec"]["selector"],
        one(made, "PodDisruptionBudget")["spec"]["selector"],
        one(made, "NetworkPolicy")["spec"]["podSelector"],
        {"matchLabels": one(made, "Service")["spec"]["selector"]},
        *(each["labelSelector"] for each in spec["topologySpreadConstraints"]),
    ]
    assert len(selectors) == 6
    assert all(matches(selector, labels) for selector in selectors)


def test_with_autoscaling_nobody_else_says_how_many():
    made = objects(GATEWAY["autoscaled"])
    scaler = one(made, "HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in one(made, "Deployment")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"], scaler["scaleTargetRef"]["name"]) == (2, 10, NAME)
    metric = scaler["metrics"][0]["pods"]
    assert (metric["metric"]["name"], metric["target"]["averageValue"]) == ("firebreak_calls_in_flight", "200")


def test_keys_are_made_once_or_given():
    made = objects()
    secret = one(made, "Secret", "firebreak-session-keys")
    ((file, text),) = secret["data"].items()
    key = json.loads(base64.b64decode(text))
    assert file == f"{key['kid']}.json" and len(base64.urlsafe_b64decode(key["k"] + "=")) == 32
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    given = objects(GATEWAY["own-keys"])
    assert not [item for item in given if item["kind"] == "Secret"]
    assert next(v for v in pod(given)["volumes"] if v["name"] == "session-keys")["secret"]["secretName"] == "kept"


def test_opa_listens_to_its_own_pod_only():
    opa = container(one(objects(GATEWAY["opa"]), "Deployment"), "opa")
    assert "--addr=127.0.0.1:8181" in opa["args"]


def test_policies_and_limits_arrive_without_a_new_pod():
    def template(over: Any) -> Any:
        return one(objects(over), "Deployment")["spec"]["template"]

    name = next(iter(ci_values("gateway", "minimal")["services"]))
    path = next(iter(ci_values("gateway", "minimal")["policies"]))
    assert template({"policies": {path: "# another\n"}, "services": {name: {"limits": {"queue": 3}}}}) == template({})
    assert template({"admission": {"inFlight": 7}})["metadata"] != template({})["metadata"]
    followed = [m["name"] for m in gateway(objects())["volumeMounts"] if "subPath" not in m]
    assert {"services", "policies"} <= set(followed)


def test_names_are_the_contract_and_the_release_is_the_instance():
    made = render("gateway", ci_values("gateway", "minimal"), release="blue")
    assert {item["metadata"]["name"] for item in made if item["kind"] in ("Deployment", "Service")} == {NAME}
    spec = one(made, "Service")["spec"]
    assert spec["selector"] == {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": "blue"}
    assert spec.get("clusterIP") is None and {port["port"] for port in spec["ports"]} >= {7500}


@pytest.mark.parametrize("missing", [("serviceAccounts", "issuer"), ("serviceAccounts", "jwks")])
def test_what_must_be_given_is_asked_for(missing: tuple[str, str]):
    outer, inner = missing
    assert inner in refusal("gateway", ci_values("gateway", "minimal"), {outer: {inner: ""}})


def test_a_service_that_is_not_installed_is_not_in_the_catalogue(tmp_path: Path):
    made = objects({"installed": {"calculator": False}}, "full")
    assert [config.name for _, config in loaded(made, tmp_path).services] == ["router"]
    same = objects({"installed": {"calculator": True}}, "full")
    assert one(same, "Deployment") == one(objects({}, "full"), "Deployment")


def test_redis_is_asked_as_the_values_say(tmp_path: Path):
    quotas = loaded(objects(GATEWAY["redis-tls"]), tmp_path).config.quotas
    assert quotas is not None
    assert quotas.redis == "rediss://firebreak@redis:6379/0"
    assert (quotas.password_file, quotas.ca_file) == ("/var/run/secrets/redis/password", f"{tmp_path}/redis/ca.crt")
    assert (tmp_path / "redis" / "ca.crt").is_file()
    plain = loaded(objects(GATEWAY["redis"]), tmp_path / "plain").config.quotas
    assert plain is not None and plain.ca_file is None


def test_the_metric_that_pods_are_counted_by_is_one_that_the_gateway_gives():
    scaler = one(objects(GATEWAY["autoscaled"]), "HorizontalPodAutoscaler")["spec"]
    assert f"# TYPE {scaler['metrics'][0]['pods']['metric']['name']} gauge" in exposition()


def exposition() -> str:
    lines = LineWriter(lambda data: None)
    made = make_record(
        Telemetry(),
        in_flight=lambda: 0,
        breaker_states=dict,
        journal=dict,
        lines=lines,
        version="0.1.0",
        clock=lambda: 0.0,
    )
    return made.metrics.render().decode()


REDIS = {"redis": {"url": "redis://redis:6379/0"}, "egress": EGRESS}
REFUSED: list[tuple[Any, str]] = [
    ({"redis": {"url": "redis://firebreak:pa:ss@redis"}, "egress": EGRESS}, "redis.url holds a password"),
    ({"redis": {"url": "redis://:pa/ss@redis"}, "egress": EGRESS}, "redis.url holds a password"),
    ({**REDIS, "redis": {**REDIS["redis"], "caConfigMap": "ca"}}, "begins with rediss://"),
    ({"redis": {"passwordSecret": {"name": "redis", "key": "password"}}}, "set redis.url"),
    ({"redis": {"url": "redis://redis"}}, "redis.url: the gateway's NetworkPolicy"),
    ({"serviceAccounts": {"caConfigMap": "ca"}}, "serviceAccounts.caConfigMap is for a jwks at an https address"),
    ({"users": {"issuer": "", "jwks": KEYS}, "egress": EGRESS}, "belong together"),
    ({"journal": {"mode": "best-effort"}}, "journal.mode is best-effort, but a pod's disk is no journal"),
    ({"journal": {"mode": "required"}}, "set journal.postgresql.urlSecret"),
    ({"autoscaling": {"enabled": True}}, "name your Prometheus in scrapers"),
    ({"autoscaling": {"enabled": True, "min": 11}, "scrapers": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}, "more than"),
    ({"installed": {"nobody": False}}, "installed.nobody is of no service"),
    ({"installed": {"calculator": False}}, "there is nothing to call"),
]


@pytest.mark.parametrize(("over", "words"), REFUSED)
def test_what_would_not_be_in_force_is_refused(over: Any, words: str):
    assert words in refusal("gateway", ci_values("gateway", "minimal"), over)
