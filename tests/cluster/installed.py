"""Firebreak in a namespace of the cluster, one Helm release for the gateway and one for each service, and a client's pod."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.charts.helpers import charts
from tests.cluster.lab import ROOT, Lab, Object, until, values_file

NAMESPACE = "firebreak-under-test"
SERVICES = ("calculator", "handbook", "python", "router", "assistant")
CLIENT = "client"
_SMALL = {"cpuRequest": "20m"}


@dataclass
class Installed:
    """`folder` is for files of values; `services` are those that have a release of their own; `policies` are other texts
    than those of the charts, `changed` other values for the gateway."""

    lab: Lab
    folder: Path
    services: tuple[str, ...] = SERVICES
    policies: dict[str, str] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)

    def install(self) -> None:
        """Returns when every pod is ready, and every service proven to the gateway."""
        for name in self.services:
            self._release("install", name, "service", self.service_values(name))
        self._release("install", "firebreak-gateway", "gateway", self.gateway_values())
        for name in ("firebreak-gateway", *self.services):
            self.rolled_out(name)

        until("the gateway has found every service", lambda: self.states() == {"ready"}, 120)

    def upgrade_gateway(self, **values: Any) -> None:
        """Values that were changed once stay so."""
        self.changed.update(values)
        self._release("upgrade", "firebreak-gateway", "gateway", self.gateway_values())

    def upgrade_service(self, name: str, **values: Any) -> None:
        self._release("upgrade", name, "service", {**self.service_values(name), **values})

    def _release(self, verb: str, name: str, chart: str, values: Mapping[str, Any]) -> None:
        file = values_file(self.folder, name, values)
        self.lab.helm(verb, name, str(charts() / chart), "-n", NAMESPACE, "-f", file)

    def rolled_out(self, name: str) -> None:
        self.lab.kubectl("rollout", "status", f"deployment/{name}", "-n", NAMESPACE, "--timeout=240s")

    def gateway_values(self) -> Object:
        """Those of the umbrella for what is installed, the client among the developers, and the cluster's issuer."""
        values: Object = yaml.safe_load((ROOT / "charts/firebreak/values.yaml").read_text())["firebreak-gateway"]
        policies = {**values["policies"], **self.policies}
        roles = policies["data/roles.yaml"]
        policies["data/roles.yaml"] = roles.replace("- user:developer", f"- user:developer\n      - service:{CLIENT}")
        return {
            **values,
            "services": {name: values["services"][name] for name in self.services},
            "installed": {},
            "policies": policies,
            "image": self._image("gateway"),
            "resources": _SMALL,
            "serviceAccounts": {"issuer": self.lab.issuer(), "jwks": self.lab.keys()},
            "drain": {"seconds": 10, "preStop": 5},
            **self.changed,
        }

    def service_values(self, name: str) -> Object:
        values: Object = yaml.safe_load((ROOT / "charts" / "values" / f"{name}.yaml").read_text())
        return {**values, "image": self._image(name), "resources": {**values["resources"], **_SMALL}}

    def _image(self, name: str) -> Object:
        return {"repository": f"{self.lab.images}/{name}", "tag": "test"}

    def pods(self, name: str) -> list[Object]:
        """Those of a deployment that are not told to end."""
        selector = self.lab.get("deployment", name, "-n", NAMESPACE)["spec"]["selector"]["matchLabels"]
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        found = self.lab.get("pods", "-n", NAMESPACE, "-l", labels)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod(self, name: str) -> str:
        """The name of one of them."""
        return str(self.pods(name)[0]["metadata"]["name"])

    def firebreak(self, command: str, *words: str) -> str:
        """What the command prints for an operator, through a port that is forwarded to the gateway."""
        forward = [*self.lab.enter, self.lab.kubectl_program, f"--kubeconfig={self.lab.kubeconfig}", "port-forward"]
        place = ("-n", NAMESPACE, "svc/firebreak-gateway", ":7501")
        with subprocess.Popen([*forward, *place], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                address = process.stdout.readline().split()[2]
                program = str(ROOT / ".venv" / "bin" / "firebreak")
                return self.lab.run(program, command, "--admin", address, *words, check=False)
            finally:
                process.terminate()

    def states(self) -> set[str]:
        """How the gateway finds its services, as `firebreak status` says."""
        return {service["state"] for service in json.loads(self.firebreak("status", "--json"))["services"]}

    def last_words(self, pod: Object) -> str:
        """What a pod's container wrote before it was started again."""
        name = pod["metadata"]["name"]
        return self.lab.kubectl("logs", "-n", NAMESPACE, name, "--previous", "--tail=20", check=False)

    def ask(self, pod: str, program: str, *words: str, seconds: float = 60) -> str:
        """What a program in Python prints that runs in a pod beside what is there."""
        command = ("python", "-I", "-c", program, *words)
        return self.lab.kubectl("exec", "-n", NAMESPACE, pod, "--", *command, check=False, seconds=seconds)


def client(lab: Lab, labels: Mapping[str, str], name: str, *command: str) -> list[Object]:
    """A pod of the gateway's image that holds the client, with its own identity; `command` is for its Python."""
    metadata = {"name": name, "namespace": NAMESPACE}
    token = {"serviceAccountToken": {"audience": "firebreak", "expirationSeconds": 3600, "path": "token"}}
    container = {
        "name": "client",
        "image": f"{lab.images}/gateway:test",
        "command": ["python", *command],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "token", "mountPath": "/var/run/secrets/firebreak"},
            {"name": "program", "mountPath": "/client"},
        ],
    }
    pod = {
        "serviceAccountName": CLIENT,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": _SECCOMP},
        "containers": [container],
        "volumes": [
            {"name": "token", "projected": {"sources": [token]}},
            {"name": "program", "configMap": {"name": CLIENT}},
        ],
    }
    program = {"load.py": (Path(__file__).parent / "load.py").read_text()}
    of = {**metadata, "name": CLIENT}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": of, "data": program},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "labels": dict(labels)}, "spec": pod},
    ]


_SECCOMP = {"type": "RuntimeDefault"}


class Load:
    """The client's pod that calls without a pause; what it counted since `mark`."""

    def __init__(self, installed: Installed) -> None:
        self._lab = installed.lab
        self._before: Object = {"ok": 0, "retried": 0, "failed": {}}

    def now(self) -> Object:
        """The newest line of the pod's log."""
        text = self._lab.kubectl("logs", "-n", NAMESPACE, CLIENT, "--tail=1")
        line: Object = json.loads(text) if text.strip() else {"ok": 0, "retried": 0, "failed": {}}
        return line

    def mark(self) -> None:
        self._before = self.now()

    def since(self) -> Object:
        now, before = self.now(), self._before
        failed = {text: count - before["failed"].get(text, 0) for text, count in now["failed"].items()}
        return {
            "ok": now["ok"] - before["ok"],
            "retried": now["retried"] - before["retried"],
            "failed": {text: count for text, count in failed.items() if count},
        }

    def goes_on(self, calls: int = 40) -> None:
        """Returns when so many more calls were answered than were until now."""
        start = self.now()["ok"]
        until("calls are answered", lambda: self.now()["ok"] >= start + calls)
