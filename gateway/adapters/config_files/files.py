"""The files that a configuration names and the gateway needs at its start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.adapters.config_files.lines import Key
from gateway.config import GatewayConfig


def missing(config: GatewayConfig, root: Path) -> Iterator[tuple[Key, str]]:
    """Key and message of every named file that is not there. In local mode `firebreak up` makes them."""
    for key, name in _named(config):
        path = root / name
        if key == ("identity", "session_keys"):
            if not path.is_dir():
                yield key, f"there is no folder {name}"
        elif not path.is_file():
            yield key, f"there is no file {name}"


def _named(config: GatewayConfig) -> Iterator[tuple[Key, str]]:
    for index, listener in enumerate(config.listeners):
        yield from _fields(("listeners", index, "tls"), listener.tls, "certificate", "key", "client_ca")
    for index, issuer in enumerate(config.identity.issuers):
        if not issuer.jwks.startswith("https://"):
            yield ("identity", "issuers", index, "jwks"), issuer.jwks
        yield from _fields(("identity", "issuers", index), issuer, "ca_file")
    for index, entry in enumerate(config.services):
        yield from _fields(("services", index, "tls"), entry.tls, "ca", "certificate", "key")
    yield ("identity", "session_keys"), config.identity.session_keys
    if config.policy.opa.token_file is not None:
        yield ("policy", "opa", "token_file"), config.policy.opa.token_file
    yield from _fields(("quotas",), config.quotas, "password_file", "ca_file")
    if config.journal.dsn_file is not None:
        yield ("journal", "dsn_file"), config.journal.dsn_file


def _fields(key: Key, holder: object, *fields: str) -> Iterator[tuple[Key, str]]:
    """Those of `fields` that are set; none where there is no `holder`."""
    for field in fields:
        if (name := getattr(holder, field, None)) is not None:
            yield (*key, field), name
