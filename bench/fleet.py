"""Gateways as the chart configures them, the service behind them, and the real Redis, PostgreSQL and OPA beside them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import programs
from bench.programs import Program
from bench.setting import ENOUGH, ROOT, START, free_port, start, wait_ready
from bench.shapes import Places, Shape, configuration
from cli.local.identity import LocalIdentity

CALLERS = tuple(f"caller-{number}" for number in range(8))
"""Who makes the calls: each may make as many a second as the chart's admission allows."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One that is ready: its process, the one of the OPA beside it (0 without), and its ports on loopback."""

    shape: Shape
    pid: int
    opa: int
    port: int
    admin: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """What runs in `folder`. `tokens` are one for each caller; `backend` is a process id."""

    folder: Path
    backend: int
    plain: str
    secure: str
    redis: Program
    postgresql: Program
    tokens: tuple[str, ...]

    @contextmanager
    def gateways(self, shapes: Sequence[Shape]) -> Iterator[list[Gateway]]:
        """One gateway of each shape, all of them ready; the same shape may be there more than once."""
        with ExitStack() as stack:
            started = [self._start(stack, number, shape) for number, shape in enumerate(shapes)]
            for gateway, folder, process in started:
                wait_ready(folder, gateway.admin, [process])
            yield [gateway for gateway, _, _ in started]

    def _start(self, stack: ExitStack, number: int, shape: Shape) -> tuple[Gateway, Path, subprocess.Popen[bytes]]:
        folder = self.folder / f"gateway-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        opa = stack.enter_context(programs.opa()) if shape.opa else None
        port, admin = free_port(), free_port()
        service = self.secure if shape.tls else self.plain
        address = f"dns:///{service}"
        places = Places(
            f"127.0.0.1:{port}", f"127.0.0.1:{admin}", address, self.redis.address, opa.address if opa else ""
        )
        (folder / "firebreak.yaml").write_text(yaml.safe_dump(configuration(shape, places, _issuer())))
        process = start(folder, "gateway", "gateway", "--config", "firebreak.yaml")
        stack.callback(_end, process)
        return Gateway(shape, process.pid, opa.pid if opa else 0, port, admin), folder, process


@contextmanager
def running(folder: Path) -> Iterator[Fleet]:
    """Everything that gateways need, in a new `folder`. Raises ProgramMissing."""
    with ExitStack() as stack:
        redis = stack.enter_context(programs.redis())
        postgresql = stack.enter_context(programs.postgresql())
        (folder / "dsn").write_text(postgresql.address)
        _service(folder)
        _policies(folder)
        tokens = _tokens(folder)
        plain, secure = (f"127.0.0.1:{free_port()}" for _ in range(2))
        backend = start(folder, "backend", "bench.backend", plain, secure, str(folder / "identity"))
        stack.callback(_end, backend)
        yield Fleet(folder, backend.pid, plain, secure, redis, postgresql, tokens)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(START)


def _tokens(folder: Path) -> tuple[str, ...]:
    identity = LocalIdentity(folder)
    identity.ensure()
    return tuple(identity.issue_user(name).read_text().strip() for name in CALLERS)


def _issuer() -> dict[str, Any]:
    config = yaml.safe_load((ROOT / "firebreak.yaml").read_text())
    issuer: dict[str, Any] = config["identity"]["issuers"][0]
    return issuer | {"jwks": "../identity/users/jwks.json"}


def _policies(folder: Path) -> None:
    """The shipped ones, in which the callers are developers too."""
    shutil.copytree(ROOT / "policies", folder / "policies")
    file = folder / "policies/data/roles.yaml"
    data = yaml.safe_load(file.read_text())
    data["roles"]["developer"]["principals"] += [f"user:{name}" for name in CALLERS]
    file.write_text(yaml.safe_dump(data))


def _service(folder: Path) -> None:
    """A tool without limits of its own: what bounds its calls is the gateway."""
    service = folder / "services/calculator"
    service.mkdir(parents=True)
    tool = {"name": "calculator", "kind": "tool", "version": "1.0.0", "entrypoint": "a:b", "effect": "READ"}
    limits = {"rate": ENOUGH, "concurrency": 1024}
    (service / "service.yaml").write_text(yaml.safe_dump(tool | {"limits": limits}))
