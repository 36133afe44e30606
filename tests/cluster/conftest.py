"""One cluster for all tests of this folder: a node of this machine's own, or one that is there already.

FIREBREAK_CLUSTER names that one: a context of your kubeconfig, such as kind-firebreak, or the folder of a
`scripts/cluster.py run FOLDER`. Charts are installed in namespaces of their own, which are deleted. With a context
FIREBREAK_IMAGES says where its nodes find the images.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.crds import definitions
from tests.cluster.installed import CLIENT, NAMESPACE, SERVICES, Installed, Load, client
from tests.cluster.lab import ROOT, Lab
from tests.programs import needed

REGISTRY = "firebreak.test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A first start builds Kubernetes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if there := os.environ.get("FIREBREAK_CLUSTER"):
        is_ours = Path(there, "enter").exists()
        with prepared(own(Path(there)) if is_ours else existing(there, tmp_path_factory.mktemp("cluster"))) as found:
            yield found
        return
    folder = tmp_path_factory.mktemp("cluster")
    command = [sys.executable, str(ROOT / "scripts" / "cluster.py"), "run", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n", "the cluster did not start: see above"
            with prepared(own(folder)) as made:
                yield made
        finally:
            process.stdin.close()  # which ends it
            process.wait()
    shutil.rmtree(folder)


def own(folder: Path) -> Lab:
    kubectl = ROOT / ".firebreak" / "tools" / "cluster" / "bin" / "kubectl"
    config = folder / "keys" / "admin.kubeconfig"
    return Lab(
        config, needed("helm", "Helm"), str(kubectl), (str(folder / "enter"),), REGISTRY, (str(folder / "load"),)
    )


def existing(context: str, folder: Path) -> Lab:
    """That of the user, in a kubeconfig with nothing else: no test can meet another cluster."""
    kubectl = shutil.which("kubectl") or pytest.fail("FIREBREAK_CLUSTER is set: it needs kubectl on PATH")
    words = [kubectl, "config", "view", "--minify", "--flatten", "--context", context]
    config = folder / "kubeconfig"
    config.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    config.chmod(0o600)
    return Lab(config, needed("helm", "Helm"), kubectl, (), os.environ.get("FIREBREAK_IMAGES", REGISTRY))


@contextmanager
def prepared(lab: Lab) -> Iterator[Lab]:
    """With the kinds that charts use, where the cluster lacks them; those are taken away again."""
    missing = [one for one in definitions() if not lab.has(one)]
    lab.create(*missing)
    yield lab
    for one in missing:
        lab.kubectl("delete", one["kind"], one["metadata"]["name"], "--wait=false")


@pytest.fixture(scope="session")
def images(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Images of this work tree in the cluster of our own; whoever has another cluster has put them there."""
    if not lab.enter:
        return
    lab.build(tmp_path_factory.mktemp("images"), "gateway", *SERVICES)


@pytest.fixture(scope="session")
def installed(lab: Lab, images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Firebreak with its services, each in a release of its own, all of them ready."""
    lab.make_namespace(NAMESPACE)
    made = Installed(lab, tmp_path_factory.mktemp("values"))
    made.install()
    yield made
    lab.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="session")
def load(installed: Installed) -> Load:
    """A client that calls from now on, and is answered: the node lets a new pod through a moment after it has started."""
    words = ("/client/load.py", "firebreak-gateway:7500", "/var/run/secrets/firebreak/token", "4")
    installed.lab.apply(*client(installed.lab, {"firebreak.dev/client": "true"}, CLIENT, *words))
    installed.lab.kubectl("wait", "--for=condition=Ready", f"pod/{CLIENT}", "-n", NAMESPACE, "--timeout=60s")
    made = Load(installed)
    made.goes_on()
    return made
