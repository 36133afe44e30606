"""What the programs of a node read, and the objects of its DNS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Version 2 of its configuration is what every containerd since 1.3 reads. A machine that may not lower the score by which the
# kernel chooses whom to end leaves it as it is.
_CONTAINERD = """version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{programs}"
conf_dir = "{cni}"
"""

# Names outside the cluster exist for nobody.
_COREFILE = """cluster.local:53 in-addr.arpa:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa {
        ttl 5
    }
    cache 5
}
.:53 {
    template ANY ANY {
        rcode NXDOMAIN
    }
}
"""


def node_files(keys: Path, programs: str, pause: str, dns: str, pods: str, cgroup: str) -> dict[str, str]:
    """By name, the files in the folder `node` beside the folder `keys`."""
    cni = keys.parent / "node" / "cni"
    return {
        "containerd.toml": _CONTAINERD.format(pause=pause, programs=programs, cni=cni),
        "cni/10-pods.conflist": json.dumps(_network(pods)),
        "kubelet.json": json.dumps(_kubelet(keys, dns, cgroup)),
        "kube-proxy.json": json.dumps(_proxy(keys, pods)),
    }


def _network(pods: str) -> dict[str, Any]:
    """A cable from each pod to the node: what pods say to each other is routed, and meets the node's packet filter."""
    ranges = {"ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"}
    plugin = {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": {"type": "host-local", **ranges}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [plugin]}


def _kubelet(keys: Path, dns: str, cgroup: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(keys / "kubelet-client.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "clusterDNS": [dns],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "podPidsLimit": 1024,
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }


def _proxy(keys: Path, pods: str) -> dict[str, Any]:
    """Limits of connections are the machine's own, and stay as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(keys / "proxy.kubeconfig")},
        "clusterCIDR": pods,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "mode": "iptables",
    }


def dns(image: str, address: str) -> dict[str, Any]:
    """CoreDNS as every cluster has it: in kube-system, with the label by which NetworkPolicies know it."""
    of = {"namespace": "kube-system", "name": "coredns"}
    labels = {"k8s-app": "kube-dns"}
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"}
    ports = [{"name": f"dns-{p.lower()}", "port": 53, "targetPort": 53, "protocol": p} for p in ("UDP", "TCP")]
    rbac = "rbac.authorization.k8s.io/v1"
    account = {"kind": "ServiceAccount", **of}
    items = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of},
        {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": "coredns"}, "rules": rules},
        {
            "apiVersion": rbac,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "coredns"},
            "roleRef": role,
            "subjects": [account],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": of, "data": {"Corefile": _COREFILE}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**of, "name": "kube-dns", "labels": labels},
            "spec": {"clusterIP": address, "selector": labels, "ports": ports},
        },
        _dns_deployment(of, labels, image),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _dns_deployment(of: dict[str, str], labels: dict[str, str], image: str) -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",
        "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "53"}]},
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": of, "spec": spec}
