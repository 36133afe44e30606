"""The admin surface: health, readiness, metrics and status by HTTP, on a port of its own. It only reads."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class Sources:
    """What the surface shows. `missing` names what the gateway still lacks to take calls, with the reason of each.

    `metrics` gives the Prometheus text and its content type, `status` a JSON object.
    """

    missing: Callable[[], Mapping[str, str]]
    metrics: Callable[[], tuple[bytes, str]]
    status: Callable[[], Mapping[str, Any]]


class Admin:
    """An HTTP server in the gateway's event loop; whoever reaches its address may read it."""

    def __init__(self, address: str, sources: Sources) -> None:
        """Binds `address` ("host:port") at once. Raises OSError."""
        self._socket = _bind(address)
        config = uvicorn.Config(application(sources), log_config=None, access_log=False, lifespan="off")
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

    pages = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics, "/status": status}
    return Starlette(routes=[Route(path, page, methods=["GET"]) for path, page in pages.items()])


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
