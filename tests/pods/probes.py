"""The kubelet's probes."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

Object = dict[str, Any]
_KINDS = ("httpGet", "grpc", "tcpSocket")
_OFTEN = 0.1
"""Seconds between two questions, where the kubelet waits for a whole period: tests must not."""


def port(probe: Object) -> str | int:
    """The port that is asked, a number or a name."""
    found: str | int = probe[_kind(probe)]["port"]
    return found


def passes(probe: Object, where: str) -> bool:
    """Whether the port at `where` ("host:port") answers the probe well now."""
    kind, timeout = _kind(probe), float(probe.get("timeoutSeconds", 1))
    if kind == "httpGet":
        return _http(f"http://{where}{probe[kind]['path']}", timeout)
    return _grpc(where, timeout) if kind == "grpc" else _tcp(where, timeout)


def wait(probe: Object, passes: Callable[[], bool], lives: Callable[[], None]) -> bool:
    """Whether the probe passes before the kubelet would give up. `lives` raises for what has ended."""
    end = time.monotonic() + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
    while not passes():
        lives()
        if time.monotonic() >= end:
            return False
        time.sleep(_OFTEN)
    return True


def _kind(probe: Object) -> str:
    return next(kind for kind in _KINDS if kind in probe)


def _http(url: str, timeout: float) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return bool(200 <= response.status < 400)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _grpc(target: str, timeout: float) -> bool:
    with grpc.insecure_channel(target) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _tcp(where: str, timeout: float) -> bool:
    host, _, port = where.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout) as connection:
            connection.settimeout(_OFTEN)
            return connection.recv(1) != b""  # the way on is closed at once where nobody listens
    except TimeoutError:
        return True
    except OSError:
        return False
