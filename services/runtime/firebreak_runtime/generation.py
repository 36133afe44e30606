"""One life of the service inside the host: a zygote, its pool of workers, and what it said of itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from firebreak_runtime.checks import Checks
from firebreak_runtime.dispatch import Dispatch
from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.log import Log
from firebreak_runtime.methods import KINDS
from firebreak_runtime.once import Once
from firebreak_runtime.pool import Pool, PoolSize
from firebreak_runtime.served import GatewayTls
from firebreak_runtime.service_file import ServiceFile
from firebreak_runtime.spawn import Spawner
from firebreak_runtime.tls import ListenerTls
from firebreak_runtime.worker_process import WorkerProcess
from firebreak_runtime.zygote_process import Loaded, LoadFailed, Zygote, environment

_PROXIES = tuple(form for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for form in (name, name.lower()))
STOP = 2.0
"""Seconds that a zygote gets to end everything that came from it."""


@dataclass(frozen=True)
class Surroundings:
    """What a service is started with. `zygote` is the command that runs one, without its options.

    `listen` is where its host serves. `egress` is the address of the egress proxy, which is at port `proxy` of loopback for
    workers; "" and 0 where there is none. `secrets` is a folder, "" where there is none. `writable` are the folders in which
    workers may change files, none where nothing restricts them. `tls` is of the host's listener, `gateway_tls` of the workers'
    way to the gateway. `reads` are paths beside the service's own, and `platform` names of environment variables ("NAME*" for
    all that begin so), that are there wherever it runs. `network_policy` says that a policy, no namespace, bounds its network.
    `workers_group` is the descriptor of the control group for zygote and workers, `processes` the bound of all processes from
    which on these start no more; None and 0 where there is no such thing.
    """

    service: ServiceFile
    gateway: str
    token_file: Path
    zygote: Sequence[str]
    listen: str = ""
    egress: str = ""
    proxy: int = 0
    secrets: str = ""
    writable: tuple[str, ...] = ()
    tls: ListenerTls | None = None
    gateway_tls: GatewayTls | None = None
    reads: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    network_policy: bool = False
    workers_group: int | None = None
    processes: int = 0

    def command(self) -> list[str]:
        options = [("--service", self.service.folder), ("--gateway", self.gateway), ("--token-file", self.token_file)]
        options += [("--writable", folder) for folder in self.writable]
        options += [("--processes", self.processes)] if self.processes else []
        options += [("--group", self.workers_group)] if self.workers_group is not None else []
        if self.gateway_tls is not None:
            options += [(f"--gateway-{name}", file) for name, file in self.gateway_tls.files().items()]
        return [*self.zygote, *(str(part) for option in options for part in option)]

    def tls_files(self) -> tuple[Path, ...]:
        """Files of TLS that host and workers read."""
        own = (self.tls.certificate, self.tls.key, self.tls.client_ca) if self.tls else ()
        return tuple(dict.fromkeys((*own, *(self.gateway_tls.files().values() if self.gateway_tls else ()))))

    def variables(self, own: Mapping[str, str]) -> dict[str, str]:
        """The environment of zygote and workers, where the host's is `own`."""
        env = environment(own, self.service.env)
        if self.proxy:
            env |= dict.fromkeys(_PROXIES, f"http://127.0.0.1:{self.proxy}")
        if self.service.egress:
            env["FIREBREAK_EGRESS"] = " ".join(self.service.egress)
        if self.secrets:
            env["FIREBREAK_SECRETS"] = self.secrets
        return env


class Generation:
    """Loads the service and serves it until the zygote ends."""

    def __init__(self, around: Surroundings, once: Once, log: Log, changed: Callable[[], None]) -> None:
        self._around = around
        self._once = once
        self._log = log
        self._changed = changed
        group = () if around.workers_group is None else (around.workers_group,)
        self._zygote = Zygote(around.command(), around.variables(os.environ), log, group)
        self._pool: Pool[WorkerProcess] | None = None
        self.description = b""
        self.dispatch: Dispatch | None = None

    @property
    def pid(self) -> int:
        """Process id of the zygote."""
        return self._zygote.pid

    @property
    def ready(self) -> bool:
        return self._pool is not None and self._pool.ready

    @property
    def cause(self) -> str:
        """Why no worker could be started; "" where none failed."""
        return self._pool.cause if self._pool is not None else ""

    async def load(self) -> None:
        """Waits until the object is loaded and starts its workers. Raises LoadFailed."""
        limit = self._around.service.start_timeout
        await asyncio.wait({self._zygote.loaded}, timeout=limit)
        if not self._zygote.loaded.done():
            raise LoadFailed(f"it was not loaded within {limit:g} s (runtime.start_timeout)")
        self._open(self._zygote.loaded.result())

    async def ended(self) -> str:
        """Waits for the zygote's end; returns words for how it ended."""
        await asyncio.wait({self._zygote.ended})
        return self._zygote.ended.result()

    async def stop(self, error: ServedError) -> None:
        """Ends every process of this life; calls that wait get `error`."""
        self.dispatch = None
        if self._pool is not None:
            self._pool.close(error)
        await self._zygote.stop(STOP)

    def _open(self, loaded: Loaded) -> None:
        service = self._around.service
        try:
            description = KINDS[service.kind].describe.response.FromString(loaded.description)
            checks = Checks(service, description)
        except DecodeError:
            raise LoadFailed("the service describes itself with bytes that make no sense") from None
        except LoadError as error:
            raise LoadFailed(str(error)) from None
        self.description = loaded.description
        self._pool = self._make_pool(service, loaded.mode)
        self.dispatch = Dispatch(service, self._pool, checks, self._once, self._log)
        self._pool.fill()

    def _make_pool(self, service: ServiceFile, mode: str) -> Pool[WorkerProcess]:
        calls = service.calls_per_worker if mode == "async" else 1
        return Pool(
            size=PoolSize(service.workers, service.spare, service.queue, calls),
            spawn=Spawner(self._zygote, service, mode, self._log),
            sleep=asyncio.sleep,
            changed=self._changed,
            log=self._log,
        )
