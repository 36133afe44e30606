"""One pod of a Deployment, as the kubelet runs it: volumes, init containers that stay, probes, and an end in its order."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pods import probes
from tests.pods.container import Box, Container
from tests.pods.images import image
from tests.pods.network import Network
from tests.pods.volumes import Find, Projected, Token, content, in_memory, mode

Object = dict[str, Any]
_GIVEN = {
    "PATH": "/app/bin",
    "LANG": "C.UTF-8",
    "KUBERNETES_SERVICE_HOST": "192.0.2.1",
    "KUBERNETES_SERVICE_PORT": "443",
}
"""Variables of the images, and those that every pod has."""


@dataclass(frozen=True)
class Place:
    """Where a pod runs: its address in the network, its folder on this machine, and the file that is its /etc/hosts.

    `way` is where this machine reaches a port of an address: "host:port".
    """

    network: Network
    address: str
    folder: Path
    hosts: Path
    way: Callable[[str, int], str]


class Pod:
    """Started by `start`, ready after `wait_ready`, gone after `terminate` or `kill`."""

    def __init__(self, name: str, template: Object, place: Place, find: Find, token: Callable[[str], Token]) -> None:
        """`token` gives the tokens of a service account."""
        self.name = name
        self.labels: dict[str, str] = template["metadata"]["labels"]
        self.template = template
        self.address = place.address
        self.ready = False
        self._spec = template["spec"]
        self._place = place
        self._find, self._token = find, token(self._spec["serviceAccountName"])
        place.folder.mkdir()
        self._volumes = {volume["name"]: volume for volume in self._spec["volumes"]}
        self._projected = {
            name: self._project(volume) for name, volume in self._volumes.items() if "emptyDir" not in volume
        }
        self.update()
        self._stay = [(self._container(spec), spec) for spec in self._spec.get("initContainers", [])]
        self._main = [(self._container(spec), spec) for spec in self._spec["containers"]]

    def update(self) -> None:
        """Brings volumes up to date with the objects that they come from."""
        for name, folder in self._projected.items():
            folder.write(content(self._volumes[name], self._find, self._token))

    def start(self) -> None:
        """Starts what stays from before the start to after the end, each until its startup probe passes; then the others."""
        self._place.network.pod(self.address)
        for container, spec in self._stay:
            assert spec.get("restartPolicy") == "Always", "an init container that ends: none of the charts has one"
            container.start()
            self._wait("startupProbe", spec)
        for container, _ in self._main:
            container.start()

    def wait_ready(self) -> None:
        for kind in ("startupProbe", "readinessProbe"):
            for _, spec in self._main:
                self._wait(kind, spec)
        self.ready = True

    def asked(self, kind: str) -> bool:
        """Whether every container's probe of this kind passes now."""
        return all(self._passes(kind, spec) for _, spec in (*self._stay, *self._main) if kind in spec)

    def terminate(self) -> None:
        """preStop, SIGTERM, and SIGKILL when the grace is over; the main containers first."""
        self.ready = False
        for container, spec in self._main:
            if hook := spec.get("lifecycle", {}).get("preStop"):
                container.run(hook["exec"]["command"], self._grace)
            self._end(container)
        for container, _ in reversed(self._stay):
            self._end(container)

    def kill(self) -> None:
        """All of it at once, as when its node is lost."""
        self.ready = False
        for container in self.containers:
            container.kill()

    @property
    def alive(self) -> bool:
        return any(container.alive for container in self.containers)

    @property
    def containers(self) -> list[Container]:
        return [container for container, _ in (*self._stay, *self._main)]

    def container(self, name: str) -> Container:
        return next(container for container in self.containers if container.name == name)

    def at(self, port: int) -> str:
        """Where this machine reaches a port of the pod: "host:port"."""
        return self._place.way(self.address, port)

    def text(self) -> str:
        """What all containers have printed."""
        return "".join(container.text() for container in self.containers)

    @property
    def _grace(self) -> float:
        return float(self._spec["terminationGracePeriodSeconds"])

    def _end(self, container: Container) -> None:
        container.signal(signal.SIGTERM)
        if not container.wait(self._grace):
            container.kill()

    def _project(self, volume: Object) -> Projected:
        return Projected(self._place.folder / volume["name"], mode(volume))

    def _container(self, spec: Object) -> Container:
        place, found = self._place, image(spec["image"])
        variables = {**_GIVEN, "HOSTNAME": self.name, **{each["name"]: each["value"] for each in spec.get("env", [])}}
        mounts = ["--ro-bind", str(place.hosts), "/etc/hosts"]
        mounts += [part for mount in spec.get("volumeMounts", []) for part in self._mount(mount)]
        box = Box(place.network, self.address, self.name, found, mounts, variables)
        return Container(
            spec["name"], box, [*found.entrypoint, *spec.get("args", [])], place.folder / f"{spec['name']}.log"
        )

    def _mount(self, mount: Object) -> list[str]:
        name, path = mount["name"], mount["mountPath"]
        if name not in self._projected:
            return ["--size", str(in_memory(self._volumes[name])), "--tmpfs", path]
        source = self._projected[name].folder
        if "subPath" in mount:  # the file that is there now, whatever becomes of it in the volume
            source = shutil.copy(source / mount["subPath"], self._place.folder / f"{name}-{mount['subPath']}")
        return ["--ro-bind" if mount.get("readOnly") else "--bind", str(source), path]

    def _passes(self, kind: str, spec: Object) -> bool:
        port, ports = probes.port(spec[kind]), {each["name"]: each["containerPort"] for each in spec.get("ports", [])}
        return probes.passes(spec[kind], self.at(ports.get(str(port), port)))

    def _wait(self, kind: str, spec: Object) -> None:
        """Until the probe passes; raises AssertionError when the kubelet would give up."""
        if kind in spec and not probes.wait(spec[kind], lambda: self._passes(kind, spec), self._lives):
            raise AssertionError(f"{self.name}: {kind} did not pass in time:\n{self.text()}")

    def _lives(self) -> None:
        for container in self.containers:
            assert not container.over, f"{self.name}: {container.name} ended:\n{container.text()}"
