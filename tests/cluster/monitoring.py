"""Prometheus, and the adapter by which Kubernetes reads its metrics, in a namespace of their own: both real, both small."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.lab import ROOT, Lab, Object

NAMESPACE = "firebreak-monitoring"
SCRAPERS = [
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
        "podSelector": {"matchLabels": {"app": "prometheus"}},
    }
]
"""What the gateway's values must say, so that Prometheus reaches it."""
_CUSTOM = "custom.metrics.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]


def rules() -> str:
    """The adapter's rules, as docs/operations.md has them."""
    text = (ROOT / "docs" / "operations.md").read_text()
    [found] = re.findall(r"(?s)```yaml\n(rules:\n.*?)```", text)
    return str(found)


def install(lab: Lab, watched: str) -> None:
    """Returns when both are ready. `watched` is the namespace whose gateways are asked."""
    lab.make_namespace(NAMESPACE)
    lab.apply(
        *_account("prometheus", [_rule("", ["pods"], _READ)]),
        *_account("prometheus-adapter", [_rule("", ["pods", "namespaces", "nodes"], _READ)]),
        # As the adapter's own instructions have it: it asks the API server who asks it, and Kubernetes may read metrics.
        _binding("firebreak-test-adapter-delegates", "system:auth-delegator"),
        _may_read_who_asks(),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "firebreak-test-custom-metrics"},
            "rules": [_rule(_CUSTOM, ["*"], ["get", "list"])],
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "firebreak-test-custom-metrics"},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "firebreak-test-custom-metrics"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "kube-system", "name": "horizontal-pod-autoscaler"}],
        },
        *_server(lab, "prometheus", 9090, _PROMETHEUS, {"prometheus.yml": json.dumps(_scraping(watched))}, "/-/ready"),
        *_server(lab, "prometheus-adapter", 6443, _ADAPTER, {"config.yaml": rules()}, ""),
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1beta1.{_CUSTOM}"},
            "spec": {
                "group": _CUSTOM,
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,  # the adapter makes its certificate when it starts
                "service": {"namespace": NAMESPACE, "name": "prometheus-adapter", "port": 6443},
            },
        },
    )
    for name in ("prometheus", "prometheus-adapter"):
        lab.kubectl("rollout", "status", f"deployment/{name}", "-n", NAMESPACE, "--timeout=120s")


def uninstall(lab: Lab) -> None:
    """Takes away what there is of it."""
    ours = ("firebreak-test-adapter-delegates", "firebreak-test-custom-metrics", "prometheus", "prometheus-adapter")
    gone = "--ignore-not-found"
    lab.kubectl("delete", "apiservice", f"v1beta1.{_CUSTOM}", gone)
    lab.kubectl("delete", "clusterrolebinding", *ours, gone)
    lab.kubectl("delete", "clusterrole", *ours, gone)
    lab.kubectl("delete", "rolebinding", "firebreak-test-adapter", "-n", "kube-system", gone)
    lab.kubectl("delete", "namespace", NAMESPACE, gone, "--wait=false")


def _scraping(watched: str) -> dict[str, Any]:
    """As the chart's ServiceMonitor asks for it, but more often."""
    of_pod = "__meta_kubernetes_pod_"
    kept = {f"{of_pod}label_app_kubernetes_io_name": "firebreak-gateway", f"{of_pod}container_port_name": "admin"}
    told = {"__meta_kubernetes_namespace": "namespace", f"{of_pod}name": "pod"}
    job = {
        "job_name": "firebreak",
        "scrape_interval": "3s",
        "scrape_timeout": "2s",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [watched]}}],
        "relabel_configs": [
            *({"source_labels": [label], "regex": value, "action": "keep"} for label, value in kept.items()),
            *({"source_labels": [label], "target_label": name} for label, name in told.items()),
        ],
    }
    return {"scrape_configs": [job]}


_PROMETHEUS = ("--config.file=/config/prometheus.yml", "--storage.tsdb.path=/tmp/data")
_ADAPTER = (
    "--config=/config/config.yaml",
    "--prometheus-url=http://prometheus:9090",
    "--secure-port=6443",
    "--cert-dir=/tmp/keys",
    "--metrics-relist-interval=10s",
)


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _account(name: str, rules: Sequence[Object]) -> list[Object]:
    of = {"namespace": NAMESPACE, "name": name}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of},
        {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
        _binding(name, name, name),
    ]


def _binding(name: str, role: str, account: str = "prometheus-adapter") -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": account}],
    }


def _may_read_who_asks() -> Object:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "firebreak-test-adapter", "namespace": "kube-system"},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": "extension-apiserver-authentication-reader"},
        "subjects": [{"kind": "ServiceAccount", "namespace": NAMESPACE, "name": "prometheus-adapter"}],
    }


def _server(lab: Lab, name: str, port: int, words: Sequence[str], files: Mapping[str, str], ready: str) -> list[Object]:
    """A program of one replica, its files at /config, and a Service. Ready when it answers at `ready`, or takes connections."""
    of, labels = {"namespace": NAMESPACE, "name": name}, {"app": name}
    probe: Object = {"httpGet": {"path": ready, "port": port}} if ready else {"tcpSocket": {"port": port}}
    container = {
        "name": name,
        "image": f"{lab.images}/{name}:test",
        "args": list(words),
        "readinessProbe": {**probe, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "scratch", "mountPath": "/tmp"}],
    }
    user = {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "serviceAccountName": name,
        "securityContext": user,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}, {"name": "scratch", "emptyDir": {}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": of, "data": dict(files)},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": of,
            "spec": {"selector": labels, "ports": [{"port": port, "targetPort": port}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": of,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]
