"""What every sandbox shows of this machine, as arguments of bubblewrap: the system's programs, the harmless part of /etc."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = (
    "ld.so.cache", "localtime", "alternatives", "ca-certificates", "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf",
    "crypto-policies", "pki/ca-trust/extracted", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf",
)  # fmt: skip
"""Certificates, never the folders of private keys beside them."""
_MADE = {
    "passwd": "service:x:65534:65534::/tmp:/usr/sbin/nologin\n",
    "group": "service:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_OWN = ("self", "thread-self", "net", "mounts")
_HIDDEN = ("kcore", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "slabinfo", "timer_list", "vmallocinfo")
_DEVICES = ("null", "zero", "full", "random", "urandom")


@dataclass(frozen=True)
class Machine:
    """Arguments for the sandbox's root (`system`), its /proc and its /dev."""

    system: tuple[str, ...]
    proc: tuple[str, ...]
    devices: tuple[str, ...]


def look_at(made: Path, root: Path = Path("/")) -> Machine:
    """Looks at `root`, and writes what /etc has instead of this machine's own into the folder `made`. Raises OSError."""
    made.mkdir(parents=True, exist_ok=True)
    for name, text in _MADE.items():
        (made / name).write_text(text)
    etc = [word for name in _MADE for word in ("--ro-bind", str(made / name), f"/etc/{name}")]
    return Machine((*_system(root), *_etc(root), *etc), tuple(_proc(root)), tuple(_devices()))


def _system(root: Path) -> Iterator[str]:
    for name in SYSTEM:
        path = root / name
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), f"/{name}")
        elif path.is_dir():
            yield from ("--ro-bind", str(path), f"/{name}")


def _etc(root: Path) -> Iterator[str]:
    for name in _ETC:
        path = root / "etc" / name
        if path.exists():
            yield from ("--ro-bind", str(path), f"/etc/{name}")


def _proc(root: Path) -> Iterator[str]:
    """Where root starts Firebreak the sandbox's user is root to the kernel's own files, which ask for no capability:
    what in /proc is of no process cannot be changed, and what tells of the kernel is hidden."""
    yield from ("--proc", "/proc")
    for path in sorted((root / "proc").iterdir()):
        if path.name.isdecimal() or path.name in _OWN:
            continue
        if path.name in _HIDDEN:
            yield from ("--ro-bind", "/dev/null", f"/proc/{path.name}")
        elif path.is_dir() or path.stat().st_mode & 0o222:
            yield from ("--ro-bind", str(path), f"/proc/{path.name}")


def _devices() -> Iterator[str]:
    yield from ("--dir", "/dev")
    for name in _DEVICES:
        yield from ("--dev-bind", f"/dev/{name}", f"/dev/{name}")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        yield from ("--symlink", f"/proc/self/fd/{number}", f"/dev/{name}")
    yield from ("--symlink", "/proc/self/fd", "/dev/fd")
