"""A node with what a cluster does for a chart: objects, Deployments that roll, endpoints and names of Services, tokens."""

from __future__ import annotations

import itertools
import shutil
import socket
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.charts.helpers import NAMESPACE
from tests.pods.issuer import Issuer
from tests.pods.network import Network
from tests.pods.pod import Place, Pod
from tests.pods.redis_pod import RedisPod
from tests.pods.relays import Connect, Relays
from tests.pods.volumes import Token

Object = dict[str, Any]

_HOSTS = 4096
"""Bytes of /etc/hosts, whatever is in there."""


class Node:
    """Runs the pods of every Deployment that is applied and settled."""

    def __init__(self, issuer: Issuer) -> None:
        """`issuer` signs the service accounts' tokens."""
        self._network = Network()
        self.folder = Path(tempfile.mkdtemp(prefix="firebreak-pods-"))
        self._issuer = issuer
        self._relays = Relays()
        self._objects: dict[tuple[str, str], Object] = {}
        self._running: dict[str, list[Pod]] = {}
        self._named: dict[str, str] = {}
        self._ways: dict[tuple[str, int], str] = {}
        self._numbers = itertools.count(2)
        self._writing = threading.Lock()
        self._hosts = self.folder / "hosts"
        self._hosts.write_bytes(b"\n" * _HOSTS)
        self.ended: list[Pod] = []
        """Pods that are gone; what they printed is still there."""

    def outside(self, name: str, port: int, connect: Connect) -> None:
        """Gives something that is no pod, such as a database, a name and a port in the pods' network."""
        self._relays.add(self._network.listen(self._name(name), port), connect)

    def redis(self, name: str) -> RedisPod:
        """A Redis with a name, that is not started yet."""
        return RedisPod(self._network, self._name(name), self.folder)

    def apply(self, objects: Sequence[Object]) -> None:
        """Takes objects over, and has volumes that are mounted follow them, as the kubelet does within a minute."""
        for item in objects:
            self._objects[item["kind"], item["metadata"]["name"]] = item
        for service in self._services():
            self._expose(service)
        for pod in itertools.chain(*self._running.values()):
            pod.update()

    def settle(self, *names: str) -> None:
        """Runs the pods that these Deployments want, of the present template: a new one is ready before an old one ends."""
        started = [pod for name in names for pod in self._add(name)]
        with ThreadPoolExecutor(len(started) or 1) as pool:  # one may need another to become ready
            list(pool.map(self._await, started))
        for name in names:
            self._roll(name)

    def pods(self, name: str) -> list[Pod]:
        """The pods of a Deployment, the oldest first."""
        return list(self._running[name])

    def lose(self, pod: Pod) -> None:
        """Kills a pod, and takes it out of its Services."""
        pod.kill()
        self._forget(pod)

    def way(self, name: str, port: int) -> str:
        """Where this machine reaches a port of an address, or of a Service by its name: "host:port"."""
        if (name, port) not in self._ways:
            address = self._named.get(name, name)
            listening = socket.create_server(("127.0.0.1", 0))
            self._ways[name, port] = f"127.0.0.1:{listening.getsockname()[1]}"
            self._relays.add(listening, lambda: self._network.connect(address, port))
        return self._ways[name, port]

    def close(self) -> None:
        """Ends everything, the hard way."""
        for pod in itertools.chain(*self._running.values()):
            pod.kill()
        self._relays.close()
        self._network.close()
        shutil.rmtree(self.folder)

    def _add(self, name: str) -> list[Pod]:
        """As many pods as are missing, started."""
        running, wanted = self._running.setdefault(name, []), self._objects["Deployment", name]["spec"]["replicas"]
        return [self._pod(name) for _ in range(wanted - len(running))]

    def _roll(self, name: str) -> None:
        """maxSurge 1, maxUnavailable 0: one more, then one less."""
        deployment, running = self._objects["Deployment", name]["spec"], self._running[name]
        for old in [pod for pod in running if pod.template != deployment["template"]]:
            if len(running) <= deployment["replicas"]:
                self._await(self._pod(name))
            self._terminate(old)
        for surplus in running[: -deployment["replicas"]]:
            self._terminate(surplus)

    def _pod(self, name: str) -> Pod:
        address = self._new_address()
        place = Place(self._network, address, self.folder / f"{name}-{address}", self._hosts, self.way)
        template = self._objects["Deployment", name]["spec"]["template"]
        pod = Pod(f"{name}-{address.replace('.', '-')}", template, place, lambda *key: self._objects[key], self._token)
        self._running[name].append(pod)
        pod.start()
        return pod

    def _await(self, pod: Pod) -> None:
        pod.wait_ready()
        self._resolve()

    def _terminate(self, pod: Pod) -> None:
        pod.ready = False
        self._resolve()
        pod.terminate()
        self._forget(pod)

    def _forget(self, pod: Pod) -> None:
        for pods in self._running.values():
            if pod in pods:
                pods.remove(pod)
        self.ended.append(pod)
        self._resolve()

    def _endpoints(self, service: Object) -> list[str]:
        """Addresses of the pods that are ready and selected by a Service."""
        wanted = service["spec"]["selector"].items()
        every = [pod for pods in list(self._running.values()) for pod in list(pods)]
        return [pod.address for pod in every if pod.ready and wanted <= pod.labels.items()]

    def _expose(self, service: Object) -> None:
        """A Service that is not headless has an address; each connection goes to the next pod, and stays with it."""
        name, spec = service["metadata"]["name"], service["spec"]
        if spec.get("clusterIP") != "None" and name not in self._named:
            address = self._name(name)
            for port in spec["ports"]:
                self._relays.add(self._network.listen(address, port["port"]), self._balanced(name, port["port"]))
        self._resolve()

    def _balanced(self, name: str, port: int) -> Connect:
        turns = itertools.count()

        def connect() -> socket.socket:
            endpoints = self._endpoints(self._objects["Service", name])
            if not endpoints:
                raise ConnectionRefusedError(f"no pod of {name} is ready")
            return self._network.connect(endpoints[next(turns) % len(endpoints)], port)

        return connect

    def _name(self, name: str) -> str:
        self._named[name] = self._new_address()
        self._resolve()
        return self._named[name]

    def _resolve(self) -> None:
        """The names of everything, as a DNS server would answer: written in place, as the file is mounted, and at once, so that
        nobody ever reads less."""
        with self._writing:
            headless = [item for item in self._services() if item["metadata"]["name"] not in self._named]
            known = [(address, name) for name, address in self._named.items()]
            known += [(each, item["metadata"]["name"]) for item in headless for each in self._endpoints(item)]
            lines = "".join(f"{address} {name}\n" for address, name in known)
            with self._hosts.open("r+b", buffering=0) as file:
                file.write(lines.encode().ljust(_HOSTS, b"\n"))

    def _services(self) -> list[Object]:
        return [item for (kind, _), item in self._objects.items() if kind == "Service"]

    def _token(self, account: str) -> Token:
        subject = f"system:serviceaccount:{NAMESPACE}:{account}"
        return lambda audience, seconds: self._issuer.token(subject, audience, seconds)

    def _new_address(self) -> str:
        number = next(self._numbers)
        return f"10.77.{number // 250}.{number % 250}"
