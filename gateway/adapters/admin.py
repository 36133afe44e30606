"""The admin surface: health, readiness, metrics and status by HTTP, on a port of its own. It only reads."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_ELSEWHERE = (
    "Who used how many tokens is told on the gateway's own machine only: ask there, or forward this port from there. "
    "The sums of each model are in /status and /metrics.\n"
)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the surface shows. `missing` names what the gateway still lacks to take calls, with the reason of each.

    `metrics` gives the Prometheus text and its content type, `status` a JSON object. `usage` is one that names persons.
    """

    missing: Callable[[], Mapping[str, str]]
    metrics: Callable[[], tuple[bytes, str]]
    status: Callable[[], Mapping[str, Any]]
    usage: Callable[[], Mapping[str, Any]]


class Admin:
    """An HTTP server in the gateway's event loop; whoever reaches its address may read it, but who used what only from here."""

    def __init__(self, address: str, sources: Sources) -> None:
        """Binds `address` ("host:port") at once. Raises OSError."""
        self._socket = _bind(address)
        config = uvicorn.Config(
            application(sources),
            log_config=None,
            access_log=False,
            lifespan="off",
            # Who asks is who connected, whatever a header says.
            proxy_headers=False,
        )
        self._server = _Server(config)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    async def run(self) -> None:
        """Serves until `stop`."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True


def application(sources: Sources) -> Starlette:
    """The surface as an ASGI application."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        missing = dict(sources.missing())
        return JSONResponse({"ready": not missing, "missing": missing}, status_code=503 if missing else 200)

    async def metrics(_request: Request) -> Response:
        body, content_type = sources.metrics()
        return Response(body, headers={"content-type": content_type})

    async def status(_request: Request) -> Response:
        return JSONResponse(sources.status())

    async def usage(request: Request) -> Response:
        if not _is_here(request):
            return PlainTextResponse(_ELSEWHERE, status_code=403)
        return JSONResponse(sources.usage())

    pages = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/status": status, "/usage": usage}
    return Starlette(routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()])


def _is_here(request: Request) -> bool:
    """Whether the caller is on the gateway's own machine, or was let in there, as by a port that is forwarded."""
    if request.client is None:
        return False
    peer = ip_address(request.client.host)
    # A socket for both versions of IP shows an IPv4 address inside an IPv6 one.
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


class _Server(uvicorn.Server):
    """Leaves signals to the gateway, which drains first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host.strip("[]"), int(port)))
        bound.listen(128)  # so that nobody is refused before `run` takes over
    except OSError:
        bound.close()
        raise
    return bound
