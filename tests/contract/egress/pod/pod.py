"""The containers of a service's pod as the chart renders them: each in a sandbox with its own mounts, all in one network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from firebreak.v1 import host_pb2, host_pb2_grpc, tool_pb2, tool_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.charts.helpers import Object, container, one, render
from tests.contract.egress.proxy import ROOT, until
from tests.contract.runtime.host.sandbox import bubblewrap

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/hosts", "/etc/ld.so.cache")
HERE = Path(__file__).parent
ENTRYPOINT = ("-I", "-m", "firebreak_runtime")
"""Of a service's image, behind its Python."""
SECONDS = 30.0
PORT = 8080
"""Of the host that the service may reach as "localhost"."""

VALUES: Mapping[str, Any] = {
    "service": {
        "name": "visit",
        "kind": "tool",
        "version": "1.0.0",
        "entrypoint": "visit:visit",
        "effect": "READ",
        "egress": [{"to": f"http://localhost:{PORT}", "private": True}],
        "runtime": {"mode": "sync", "workers": 1, "spare": 0, "memory": "256MiB"},
        "limits": {"deadline": "5s", "max_deadline": "10s", "first_event": "5s", "idle": "5s"},
    },
    "image": {"repository": "ghcr.io/example/firebreak-visit", "tag": "1.0.0"},
    "egress": [{"host": "localhost", "port": PORT, "cidrs": ["127.0.0.0/8"]}],
}


class Pod:
    """One pod. `start` begins a container; nothing is left after `close`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fb-"))
        objects = render("service", VALUES)
        self._workload: Object = one(objects, "Deployment")
        self._volumes(one(objects, "ConfigMap")["data"]["service.yaml"])
        command = [str(bubblewrap()), "--unshare-net", "--die-with-parent", "--dev-bind", "/", "/", "--"]
        command += [sys.executable, str(HERE / "network.py"), str(self.folder), str(PORT)]
        self.proxy = 0
        """The id of the proxy's sandbox."""
        self._network = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._channel = grpc.insecure_channel(f"unix:{self.folder}/calls.sock")

    def _volumes(self, service_yaml: str) -> None:
        for name in ("service", "token", "egress"):
            (self.folder / name).mkdir()
        (self.folder / "service/service.yaml").write_text(service_yaml)
        shutil.copy(HERE / "visit.py", self.folder / "service")
        (self.folder / "token/token").write_text("token")

    def start(self, name: str, instead: Sequence[str] = ()) -> int:
        """The id of the sandbox that holds the container, and ends with it. Python runs `instead` of the program there."""
        spec = container(self._workload, name)
        program = spec["command"][1:] if "command" in spec else ENTRYPOINT
        command = [*self._sandbox(name), sys.executable, "-I", *(instead or program[1:]), *spec["args"]]
        assert self._network.stdin is not None and self._network.stdout is not None
        self._network.stdin.write(json.dumps({"command": command, "log": str(self.folder / f"{name}.log")}) + "\n")
        self._network.stdin.flush()
        return int(self._network.stdout.readline())

    def probe(self, name: str) -> bool:
        """Whether the container's startup probe succeeds."""
        words = container(self._workload, name)["startupProbe"]["exec"]["command"][1:]
        return subprocess.run([*self._sandbox(name), sys.executable, *words], capture_output=True).returncode == 0

    def _sandbox(self, name: str) -> list[str]:
        """The mounts of a container; what of them is an object of the cluster is a folder here."""
        command = [str(bubblewrap()), "--die-with-parent", "--unshare-pid", "--unshare-ipc", "--clearenv"]
        command += ["--setenv", "HOME", "/tmp", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        for path in dict.fromkeys(path for path in (*SYSTEM, sys.prefix, sys.base_prefix, str(ROOT))):
            command += ["--ro-bind-try", path, path]
        for mount in container(self._workload, name)["volumeMounts"]:
            if (self.folder / mount["name"]).exists():
                how = "--ro-bind" if mount.get("readOnly") else "--bind"
                command += [how, str(self.folder / mount["name"] / mount.get("subPath", "")), mount["mountPath"]]
        if name == "service":
            command += ["--ro-bind", str(self.folder / "service/visit.py"), "/app/service/visit.py", "--as-pid-1"]
        return [*command, "--"]

    def ready(self) -> None:
        """Waits until calls are served."""
        asked = health_pb2.HealthCheckRequest()
        serving = health_pb2.HealthCheckResponse.SERVING

        def healthy() -> bool:
            try:
                return health_pb2_grpc.HealthStub(self._channel).Check(asked, timeout=5).status == serving
            except grpc.RpcError:
                return False

        until(healthy, "the service", SECONDS)

    def visit(self, url: str, way: str = "proxy") -> str:
        """What the tool says."""
        return "".join(block.text for block in self.call(url, way).content)

    def call(self, url: str, way: str) -> tool_pb2.ToolResult:
        call = tool_pb2.ToolCall(target="visit", args_json=json.dumps({"url": url, "way": way}).encode())
        stub = tool_pb2_grpc.ToolServiceStub(self._channel)
        return stub.Call(tool_pb2.ToolServiceCallRequest(call=call), timeout=SECONDS).result

    def promises(self) -> dict[str, tuple[int, str]]:
        """State and detail of each."""
        request = host_pb2.HostServiceProveRequest()
        answer = host_pb2_grpc.HostServiceStub(self._channel).Prove(request, timeout=SECONDS)
        return {promise.name: (promise.state, promise.detail) for promise in answer.promises}

    def visited(self) -> list[str]:
        """The paths that the host was asked for."""
        file = self.folder / "visited"
        return file.read_text().splitlines() if file.exists() else []

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def close(self) -> None:
        self._channel.close()
        assert self._network.stdin is not None and self._network.stdout is not None
        self._network.stdin.close()
        try:
            self._network.wait(20)
        finally:
            self._network.kill()
            self._network.wait()
            self._network.stdout.close()
        shutil.rmtree(self.folder)
