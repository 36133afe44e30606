"""What every sandbox shows of a machine: its programs, certificates without keys, and nothing of the kernel to change."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from cli.local.sandbox.machine import Machine, look_at


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with links of folders as Debian has them."""
    root = tmp_path / "root"
    for folder in ("usr/lib", "sbin", "etc/ssl/certs", "etc/ssl/private", "proc/1", "proc/sys"):
        (root / folder).mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for name in ("etc/shadow", "etc/ld.so.cache", "proc/kcore", "proc/version", "proc/mtrr"):
        (root / name).touch(0o644 if name == "proc/mtrr" else 0o444)
    (root / "proc/self").symlink_to("1")
    return root


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    return look_at(tmp_path / "made", root)


def shown(words: tuple[str, ...]) -> dict[str, str]:
    """Where a bind or a link leads to, by its name in the sandbox."""
    return {
        where: what for kind, what, where in zip(words, words[1:], words[2:], strict=False) if kind.startswith("--")
    }


def test_folders_are_shown_and_links_made_as_outside(machine: Machine, root: Path) -> None:
    found = shown(machine.system)
    assert (found["/usr"], found["/lib"], found["/sbin"]) == (str(root / "usr"), "usr/lib", str(root / "sbin"))
    assert "/lib64" not in found


def test_certificates_are_shown_and_keys_and_passwords_are_not(machine: Machine) -> None:
    found = shown(machine.system)
    assert {"/etc/ssl/certs", "/etc/ld.so.cache"} <= found.keys()
    assert not {"/etc", "/etc/ssl", "/etc/ssl/private", "/etc/shadow"} & found.keys()


def test_users_and_hosts_are_made_up(machine: Machine, tmp_path: Path) -> None:
    found = shown(machine.system)
    assert found["/etc/passwd"] == str(tmp_path / "made/passwd")
    assert "root" not in (tmp_path / "made/passwd").read_text()
    assert "localhost" in (tmp_path / "made/hosts").read_text()


def test_what_could_be_changed_or_tells_of_the_kernel_is_covered(machine: Machine, root: Path) -> None:
    found = shown(machine.proc)
    assert (found["/proc/sys"], found["/proc/mtrr"]) == (str(root / "proc/sys"), str(root / "proc/mtrr"))
    assert found["/proc/kcore"] == "/dev/null"
    assert not {"/proc/1", "/proc/self", "/proc/version"} & found.keys()


def test_nothing_of_this_is_writable(machine: Machine) -> None:
    kinds = {word for word in itertools.chain(machine.system, machine.proc) if word.startswith("--")}
    assert kinds == {"--ro-bind", "--symlink", "--proc"}
