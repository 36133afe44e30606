"""A Kubernetes of one node: etcd, control plane, containerd, kubelet, CoreDNS in a pod, and NetworkPolicy in force."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packed import ToolError, say

from one_node import images, manifests
from one_node.node import ADDRESS, CGROUP, NAME, Node
from one_node.programs import BIN

SERVICES, PODS, DNS = "10.96.0.0/16", "10.244.0.0/16", "10.96.0.10"
API = f"https://{ADDRESS}:6443"
ISSUER = "https://kubernetes.default.svc.cluster.local"
PAUSE, COREDNS = (f"{images.REGISTRY}/{name}:1" for name in ("pause", "coredns"))
_IMPORT = ("--namespace=k8s.io", "images", "import")
_IDENTITIES = {
    "admin": ("admin", "system:masters"),
    "controllers": ("system:kube-controller-manager",),
    "scheduler": ("system:kube-scheduler",),
    "node": (f"system:node:{NAME}", "system:nodes"),
    "proxy": ("system:kube-proxy",),
    "router": ("system:kube-router", "system:masters"),
}
"""Who may ask the API server, by the name of the kubeconfig: user and group."""


class Cluster:
    """A cluster that runs until `end`. `state`: an empty folder for everything that it writes."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.node = Node(state)
        self._path = f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"
        self._keys = state / "keys"
        self._keys.mkdir()

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator; the address in it is known in the node's network only."""
        return self._keys / "admin.kubeconfig"

    def start(self) -> None:
        """Returns when the node is ready and names are answered; raises ToolError."""
        self.start_control_plane()
        self.start_node()
        self.start_dns()

    def kubectl(self, *words: str, given: str | None = None) -> str:
        """What kubectl prints; raises ToolError with what it says. `given` is its input."""
        command = [*self.node.network, str(BIN / "kubectl"), "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ToolError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def start_control_plane(self) -> None:
        say("etcd, API server, controllers, scheduler")
        tokens = self._make_keys()
        self._run("etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn")
        self._run_api_server()
        self.node.wait("certificate of the API server", 60, (self._keys / "apiserver.crt").exists)
        for name, token in tokens.items():
            (self._keys / f"{name}.kubeconfig").write_text(json.dumps(self._kubeconfig(token)))
        self.node.wait("API server", 120, lambda: self._answers("get", "--raw", "/readyz"))
        self._run(
            "kube-controller-manager",
            *self._client("controllers"),
            f"--service-account-private-key-file={self._keys}/accounts.key",
            f"--root-ca-file={self._keys}/apiserver.crt",
            f"--cluster-cidr={PODS}",
            "--allocate-node-cidrs=true",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
        )
        self._run("kube-scheduler", *self._client("scheduler"), "--leader-elect=false")

    def _run_api_server(self) -> None:
        self._run(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={ADDRESS}",
            f"--cert-dir={self._keys}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-signing-key-file={self._keys}/accounts.key",
            f"--service-account-key-file={self._keys}/accounts.key.pub",
            f"--token-auth-file={self._keys}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--enable-bootstrap-token-auth=false",
            f"--kubelet-client-certificate={self._keys}/kubelet-client.crt",
            f"--kubelet-client-key={self._keys}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            # Whom servers behind this one believe about who asks; they trust the one certificate that it shows them.
            f"--requestheader-client-ca-file={self._keys}/front-proxy.crt",
            f"--proxy-client-cert-file={self._keys}/front-proxy.crt",
            f"--proxy-client-key-file={self._keys}/front-proxy.key",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        )

    def _make_keys(self) -> Mapping[str, str]:
        """Keys and tokens of this run only. The kubelet knows the API server by a certificate that is its own authority."""
        accounts = self._keys / "accounts.key"
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(accounts))
        _openssl("pkey", "-in", str(accounts), "-pubout", "-out", f"{accounts}.pub")
        new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        certificates = {
            "kubelet-client": "/O=system:masters/CN=kube-apiserver-kubelet-client",
            "front-proxy": "/CN=front-proxy",
        }
        for name, subject in certificates.items():
            _openssl(*new, "-subj", subject, "-keyout", f"{self._keys}/{name}.key", "-out", f"{self._keys}/{name}.crt")
        tokens = {name: secrets.token_hex(16) for name in _IDENTITIES}
        lines = [",".join((tokens[name], user, user, *groups)) for name, (user, *groups) in _IDENTITIES.items()]
        (self._keys / "tokens.csv").write_text("\n".join(lines) + "\n")
        return tokens

    def _kubeconfig(self, token: str) -> dict[str, Any]:
        cluster = {"server": API, "certificate-authority": str(self._keys / "apiserver.crt")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "firebreak", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "firebreak", "context": {"cluster": "firebreak", "user": "user"}}],
            "current-context": "firebreak",
        }

    def _client(self, name: str) -> tuple[str, ...]:
        return (f"--kubeconfig={self._keys}/{name}.kubeconfig",)

    def start_node(self) -> None:
        say("containerd, kubelet, kube-proxy, kube-router")
        for name, text in manifests.node_files(self._keys, str(BIN), PAUSE, DNS, PODS, CGROUP).items():
            file = self.state / "node" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        node = self.state / "node"
        self._run("containerd", "--config", str(node / "containerd.toml"))
        self.node.wait("containerd", 60, lambda: self._ctr("version"))
        self.load_program("pause", PAUSE)
        self._run(
            "kubelet",
            *self._client("node"),
            f"--config={node}/kubelet.json",
            f"--node-ip={ADDRESS}",
            f"--hostname-override={NAME}",
        )
        self.node.wait("registration of the node", 120, lambda: self._answers("get", "node", NAME))
        self._run("kube-proxy", f"--config={node}/kube-proxy.json", f"--hostname-override={NAME}")
        self._run(
            "kube-router",
            *self._client("router"),
            "--run-router=false",
            "--run-service-proxy=false",
            "--run-firewall=true",
            f"--hostname-override={NAME}",
            f"--service-cluster-ip-range={SERVICES}",
        )
        self.node.wait("node", 120, self._node_ready)

    def _node_ready(self) -> bool:
        path = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        return self._answers("get", "node", NAME) and self.kubectl("get", "node", NAME, path) == "True"

    def start_dns(self) -> None:
        say("CoreDNS")
        self.load_program("coredns", COREDNS)
        self.kubectl("apply", "-f", "-", given=json.dumps(manifests.dns(COREDNS, DNS)))
        self.kubectl("rollout", "status", "deployment/coredns", "-n", "kube-system", "--timeout=90s")

    def load_program(self, name: str, tag: str) -> None:
        """Makes an image of a program of BIN and hands it to containerd."""
        archive = self.state / f"{name}.tar"
        images.build_program(BIN / name, tag, archive)
        self.load(archive)

    def load(self, archive: Path) -> None:
        """Hands an image to containerd, as a registry would; raises ToolError."""
        if not self._ctr(*_IMPORT, str(archive)):
            raise ToolError(f"containerd does not take the image {archive}")

    def write_doors(self) -> None:
        """The programs `enter` and `load` for those who did not start the cluster."""
        load = [*self.node.inside, str(BIN / "ctr"), *_IMPORT]
        for name, words in (("enter", self.node.network), ("load", load)):
            door = self.state / name
            door.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            door.chmod(0o755)

    def end(self) -> None:
        self.node.end()

    def _run(self, program: str, *words: str) -> None:
        self.node.start(program, [str(BIN / program), *words], self._path)

    def _ctr(self, *words: str) -> bool:
        command = [*self.node.inside, str(BIN / "ctr"), *words]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _answers(self, *words: str) -> bool:
        try:
            self.kubectl(*words)
        except ToolError:
            return False
        return True


def _openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"openssl {words[0]}: {done.stderr.strip()}")
