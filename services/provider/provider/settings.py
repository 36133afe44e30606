"""What `env:` in service.yaml says: which model, where it is, and the file that holds the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from firebreak_runtime.errors import LoadError

MODEL, BASE_URL, KEY_FILE = "PROVIDER_MODEL", "PROVIDER_BASE_URL", "PROVIDER_API_KEY_FILE"
SECRETS = "FIREBREAK_SECRETS"
"""The folder of the service's own secrets; the runtime sets it."""


@dataclass(frozen=True)
class Settings:
    """`model` is LangChain's name, e.g. "openai:gpt-4.1-mini"; without `base_url` it is the provider's own address."""

    model: str
    base_url: str | None
    key_file: Path


def read_settings(env: Mapping[str, str], folder: Path) -> Settings:
    """The settings in `env`. Raises LoadError that says what to write.

    A relative key file is in the folder of the service's secrets, or in `folder`, the service's own, where there is none.
    """
    model, key_file = env.get(MODEL, ""), env.get(KEY_FILE, "")
    if not model:
        raise LoadError(f'env.{MODEL} is missing: name the model, for example "openai:gpt-4.1-mini"')
    if not key_file:
        raise LoadError(f"env.{KEY_FILE} is missing: name the file that holds the provider's key, never the key itself")
    base_url = env.get(BASE_URL) or None
    if base_url is not None:
        _check_address(base_url)
    return Settings(model, base_url, Path(env.get(SECRETS) or folder) / key_file)


def _check_address(address: str) -> None:
    """Raises LoadError for an address that would send the key in the clear, or that holds one itself."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LoadError(f'env.{BASE_URL} must be an address like "https://models.example.com/v1"')
    if parts.username is not None or parts.query or parts.fragment:
        raise LoadError(
            f"env.{BASE_URL} must hold no user, password, query or fragment: a key belongs into the key file"
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise LoadError(f"env.{BASE_URL} must begin with https://: without TLS only this machine itself is allowed")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
