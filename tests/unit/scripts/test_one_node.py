"""What a cluster of one node is made of, as far as it can be told without one: images, versions, and objects."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from tests.unit.scripts.beside import ROOT, load_beside

images, manifests, programs = (load_beside(f"one_node.{name}") for name in ("images", "manifests", "programs"))
packed = load_beside("packed")


def read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()


@pytest.mark.parametrize(("folder", "module"), [("gateway", "gateway"), ("services", "firebreak_runtime")])
def test_a_dockerfile_says_how_its_image_is_run(folder: str, module: str) -> None:
    said = images.read_dockerfile((ROOT / folder / "Dockerfile").read_text())
    assert said["Entrypoint"] == ["/app/bin/python", "-I", "-m", module]
    assert (said["User"], said["WorkingDir"]) == ("65532:65532", "/app")
    assert "PATH=/app/bin" in said["Env"]


def test_an_image_is_one_layer_whose_digest_is_told_and_all_of_it_belongs_to_root(tmp_path: Path) -> None:
    program = tmp_path / "hello"
    program.write_bytes(b"hello")
    program.chmod(0o755)
    images.build_program(program, "example.test/hello:1", tmp_path / "hello.tar")
    with tarfile.open(tmp_path / "hello.tar") as archive:
        [manifest] = json.loads(read(archive, "manifest.json"))
        config = json.loads(read(archive, manifest["Config"]))
        layer = read(archive, manifest["Layers"][0])
        (tmp_path / "layer.tar").write_bytes(layer)
    assert manifest["RepoTags"] == ["example.test/hello:1"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"]["Entrypoint"] == ["/hello"]
    with tarfile.open(tmp_path / "layer.tar") as tree:
        assert {(each.uid, each.uname) for each in tree} == {(0, "root")}
        assert tree.getmember("./hello").mode == 0o755
    assert not (tmp_path / "hello.layer").exists()


def test_a_program_that_is_not_built_is_told_with_what_builds_it(tmp_path: Path) -> None:
    with pytest.raises(packed.ToolError, match=r"cluster\.py programs"):
        images.build_program(tmp_path / "hello", "example.test/hello:1", tmp_path / "hello.tar")


CHANGES = {
    "requires": ("example.test/one v2",),
    "packages": (("two", "example.test/one/cmd/two"),),
    "flags": "-w",
    "tags": "small",
}


@pytest.mark.parametrize("changed", CHANGES)
def test_what_is_asked_for_otherwise_is_built_anew(changed: str) -> None:
    before = programs.Module("one", ("example.test/one v1",), (("one", "example.test/one/cmd/one"),))
    after = dataclasses.replace(before, **{changed: CHANGES[changed]})
    assert before.wanted != after.wanted


def test_every_program_has_one_version_and_one_source() -> None:
    names = [name for module in programs.MODULES for name, _ in module.packages]
    assert len(names) == len(set(names))
    assert set(programs.MONITORING) <= set(names)
    for module in programs.MODULES:
        assert all(" v" in each for each in module.requires), module.name
        assert bool(module.source) == all(package == "." for _, package in module.packages), module.name


def test_the_kubelet_bounds_the_processes_of_a_pod_and_lets_nobody_in_unasked() -> None:
    files = manifests.node_files(Path("/state/keys"), "/bin", "pause:1", "10.96.0.10", "10.244.0.0/16", "group")
    kubelet = json.loads(files["kubelet.json"])
    assert kubelet["podPidsLimit"] > 0
    assert kubelet["authentication"]["anonymous"]["enabled"] is False
    assert kubelet["cgroupRoot"] == "/group"
    assert "/state/node/cni" in files["containerd.toml"]


def test_name_servers_are_known_by_the_label_that_network_policies_name() -> None:
    items = {item["kind"]: item for item in manifests.dns("coredns:1", "10.96.0.10")["items"]}
    template = items["Deployment"]["spec"]["template"]
    assert items["Service"]["spec"]["selector"] == template["metadata"]["labels"] == {"k8s-app": "kube-dns"}
    assert items["Service"]["spec"]["clusterIP"] == "10.96.0.10"
