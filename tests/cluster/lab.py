"""A cluster in the hands of a test: kubectl and Helm against it, and the objects that tests add."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Object = dict[str, Any]
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@dataclass(frozen=True)
class Lab:
    """`enter` are the words before a command that is to reach the cluster; `images` is the registry that its
    nodes know, `loads` what gives them an image from a file."""

    kubeconfig: Path
    helm_program: str
    kubectl_program: str
    enter: Sequence[str]
    images: str
    loads: Sequence[str] = ()

    def run(self, *words: str, given: str | None = None, check: bool = True, seconds: float = 300) -> str:
        """What a command prints when it runs where the cluster can be reached; its errors too where it may fail."""
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(
            [*self.enter, *words], input=given, capture_output=True, text=True, env=env, timeout=seconds, cwd=ROOT
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(words[:12])}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
            )
        return done.stdout if check else done.stdout + done.stderr

    def kubectl(self, *words: str, given: str | None = None, check: bool = True, seconds: float = 300) -> str:
        return self.run(self.kubectl_program, *words, given=given, check=check, seconds=seconds)

    def helm(self, *words: str, check: bool = True) -> str:
        return self.run(self.helm_program, *words, check=check)

    def get(self, *words: str) -> Object:
        found: Object = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def apply(self, *objects: Object) -> None:
        """In strict mode: an unknown field is an error."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--validate=strict", "-f", "-", given=given)

    def make_namespace(self, name: str) -> str:
        """A namespace that admits only pods of the profile `restricted`; one that is there already is nobody's to use."""
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
        return name

    def has(self, one: Object) -> bool:
        """Whether there is an object of this kind and name."""
        return self.kubectl("get", one["kind"], one["metadata"]["name"], "--ignore-not-found", "-o", "name") != ""

    def create(self, *objects: Object) -> None:
        """Fails for what is there already."""
        self.kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def build(self, folder: Path, *names: str) -> None:
        """Builds images of this work tree in `folder`, which goes with that, and gives them to the nodes."""
        subprocess.run([sys.executable, ROOT / "scripts" / "cluster.py", "images", folder, *names], check=True)
        for name in names:
            done = subprocess.run([*self.loads, folder / f"{name}.tar"], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        shutil.rmtree(folder)

    def issuer(self) -> str:
        return str(json.loads(self.kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"])

    def keys(self) -> str:
        return self.kubectl("get", "--raw", "/openid/v1/jwks")


def until(what: str, ready: Callable[[], bool], seconds: float = 60.0) -> float:
    """Asks until it is so, and returns the seconds that took; fails when time is up."""
    started = time.monotonic()
    while not ready():
        assert time.monotonic() - started < seconds, f"{what}: not within {seconds:g} seconds"
        time.sleep(0.2)
    return time.monotonic() - started


def values_file(folder: Path, name: str, values: Mapping[str, Any]) -> str:
    """Values in a file that Helm reads: JSON is YAML, but for escapes of characters beyond 16 bits."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(values, ensure_ascii=False))
    return str(file)
