"""What charts/service makes of `egress`: the proxy beside the service, and the one way to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from tests.charts.helpers import Object, charts, ci_values, container, containers, merged, one, refusal, render

PROXY = "egress-proxy"
SOCKET = "/run/firebreak/egress/web-fetch/egress.sock"
CIDRS = ["192.0.2.0/24"]


def workload(over: Mapping[str, Any] | None = None) -> Object:
    return one(render("service", ci_values("service", "web-fetch"), over or {}), "Deployment")


def proxy(over: Mapping[str, Any] | None = None) -> Object:
    return container(workload(over), PROXY)


def mounts(of: Object) -> dict[str, Object]:
    return {mount["name"]: mount for mount in of["volumeMounts"]}


def test_a_service_without_egress_has_no_proxy_and_no_way_to_one():
    made = one(render("service", ci_values("service", "calculator")), "Deployment")
    assert [item["name"] for item in containers(made)] == ["service"]
    text = yaml.safe_dump(made)
    assert "egress" not in text and "initContainers" not in text


def test_the_proxy_is_there_before_the_service_and_ends_after_it():
    spec = workload()["spec"]["template"]["spec"]
    assert [item["name"] for item in spec["containers"]] == ["service"]
    (init,) = spec["initContainers"]
    assert (init["name"], init["restartPolicy"]) == (PROXY, "Always")
    command = init["startupProbe"]["exec"]["command"]
    assert command[:-1] == ["/app/bin/python", "-I", "-c"] and SOCKET in command[-1]


def test_its_list_is_the_service_yaml_of_the_pod():
    made = workload()
    init, host = container(made, PROXY), container(made, "service")
    assert init["command"] == ["/app/bin/python", "-I", "-m", "cli.egress_pod"]
    assert init["args"] == ["--service=/etc/firebreak/service.yaml", "--sockets=/run/firebreak/egress", "--grace=30"]
    file = mounts(init)["service"]
    assert file == {**mounts(host)["service"], "mountPath": "/etc/firebreak/service.yaml"}
    assert file["readOnly"] is True and file["subPath"] == "service.yaml"


def test_connections_get_the_time_that_calls_get():
    args = proxy({"service": {"limits": {"max_deadline": "90s"}}})["args"]
    assert (
        "--grace=90" in args
        and "--grace=90" in container(workload({"service": {"limits": {"max_deadline": "90s"}}}), "service")["args"]
    )


def test_the_service_reaches_it_by_a_socket_that_it_cannot_replace():
    made = workload()
    host, init = container(made, "service"), container(made, PROXY)
    assert f"--egress=unix:{SOCKET}" in host["args"]
    assert mounts(host)["egress"] == {**mounts(init)["egress"], "readOnly": True}
    volumes = {volume["name"]: volume for volume in made["spec"]["template"]["spec"]["volumes"]}
    assert volumes["egress"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Mi"}


def test_the_service_may_connect_to_no_port_of_its_egress():
    assert [item for item in container(workload(), "service")["args"] if item.startswith("--port")] == ["--port=53"]


def test_the_proxy_sees_nothing_else_of_the_service():
    assert set(mounts(proxy())) == {"service", "egress"}
    assert proxy().get("env") is None and proxy().get("ports") is None


def test_it_has_the_same_walls_as_the_service():
    made = workload()
    assert container(made, PROXY)["securityContext"] == container(made, "service")["securityContext"]


def test_its_image_is_the_gateways_by_default_and_never_the_services():
    service = yaml.safe_load((charts() / "service/values.yaml").read_text())["egressProxy"]["image"]
    assert service == yaml.safe_load((charts() / "gateway/values.yaml").read_text())["image"]
    assert proxy()["image"] == f"{service['repository']}:{service['tag']}"
    digest = f"sha256:{'c' * 64}"
    made = proxy({"egressProxy": {"image": {"digest": digest, "pullPolicy": "Always"}}})
    assert (made["image"], made["imagePullPolicy"]) == (f"{service['repository']}@{digest}", "Always")
    assert "image.tag or image.digest" in refusal(
        "service", ci_values("service", "web-fetch"), {"egressProxy": {"image": {"tag": ""}}}
    )


def test_its_resources_are_its_own():
    over = {"memory": "200Mi", "cpu": "2", "cpuRequest": "", "ephemeralStorage": "1Gi"}
    bounds = proxy({"egressProxy": {"resources": over}})["resources"]
    assert bounds["limits"] == bounds["requests"] == {"memory": "200Mi", "cpu": "2", "ephemeral-storage": "1Gi"}
    usual = proxy()["resources"]
    assert (usual["requests"]["cpu"], usual["limits"]["cpu"]) == ("20m", "500m")


def at(port: int, gateway: str = "firebreak-gateway:7500") -> Mapping[str, Any]:
    """Values with one entry at a port."""
    return merged(
        ci_values("service", "web-fetch"),
        {
            "service": {"egress": [f"https://a.example.org:{port}"]},
            "egress": [{"host": "a.example.org", "port": port, "cidrs": CIDRS}],
            "gateway": {"address": gateway},
        },
    )


@pytest.mark.parametrize("port", [53, 3128, 7500])
def test_a_port_that_the_service_connects_to_itself_is_refused(port: int):
    said = refusal("service", at(port))
    assert re.search(rf"web-fetch: egress to a\.example\.org:{port}: the service itself may connect to that port", said)


@pytest.mark.parametrize("port", [52, 54, 3127, 3129, 7499, 7501, 7600])
def test_any_other_port_is_taken(port: int):
    assert container(one(render("service", at(port)), "Deployment"), PROXY)


def test_the_gateways_port_is_the_one_of_its_address():
    assert "may connect to that port" in refusal("service", at(443, "gate.other:443"))
    assert render("service", at(7500, "gate.other:443"))
