"""Where the gateway is and how a client proves who it is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024), ("grpc.max_send_message_length", 64 * 1024 * 1024))


@dataclass(frozen=True)
class Tls:
    """PEM files: the CA that signed the gateway, and a client certificate with its key for mTLS.

    `server_name` overrides the name that the gateway's certificate is checked against.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def credentials(self) -> Any:
        return grpc.ssl_channel_credentials(
            self.ca.read_bytes(),
            self.key.read_bytes() if self.key else None,
            self.certificate.read_bytes() if self.certificate else None,
        )


@dataclass(frozen=True)
class Connection:
    """An address and credentials.

    `token_file` holds a bearer token and is read for every call, since tokens rotate. Without `tls` the connection is plain:
    the gateway accepts that on loopback and Unix sockets only.
    """

    address: str = "127.0.0.1:7500"
    token_file: Path | None = None
    tls: Tls | None = None

    @classmethod
    def local(cls, state: Path | None = None) -> Connection:
        """The gateway that `make run` starts.

        `state` is its state folder; by default FIREBREAK_STATE, else .firebreak in this folder or the nearest above it.
        The address is FIREBREAK_ADDRESS, else what the gateway of that folder listens on. Raises FileNotFoundError when there
        is no such folder.
        """
        folder = state or find_state()
        return cls(
            address=os.environ.get("FIREBREAK_ADDRESS") or local_address(folder, "public", cls.address),
            token_file=folder / "identity" / "tokens" / "developer.token",
        )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Credentials and trace context of one call. Raises OSError when the token cannot be read."""
        headers = dict(_trace_headers())
        if self.token_file is not None:
            headers["authorization"] = "Bearer " + self.token_file.read_text().strip()
        return tuple(headers.items())

    def channel_options(self) -> list[tuple[str, Any]]:
        name = self.tls.server_name if self.tls else None
        return [*OPTIONS, *([("grpc.ssl_target_name_override", name)] if name else [])]


def find_state() -> Path:
    """FIREBREAK_STATE, else .firebreak in the current folder or the nearest above it; raises FileNotFoundError."""
    if named := os.environ.get("FIREBREAK_STATE"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".firebreak" / "identity").is_dir():
            return folder / ".firebreak"
    raise FileNotFoundError(
        "no .firebreak folder here or above: start Firebreak with `make run`, or set FIREBREAK_STATE"
    )


def local_address(state: Path, name: str, default: str) -> str:
    """The address "public" or "admin" of the gateway of a state folder, as its launcher wrote it down; else `default`."""
    try:
        return str(json.loads((state / "run" / "addresses.json").read_text())[name])
    except (OSError, ValueError, KeyError):
        return default


def _trace_headers() -> dict[str, str]:
    """The caller's own trace, where it uses OpenTelemetry."""
    try:
        from opentelemetry import propagate
    except ImportError:
        return {}
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers
