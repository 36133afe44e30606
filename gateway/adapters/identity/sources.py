"""Where key sets come from: a file, or an https address."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp

from gateway.adapters.identity.jws import MAX_TOKEN
from gateway.adapters.identity.live_keys import Fetch, LiveKeys, SourceError
from gateway.adapters.identity.watched_file import Stamp, stamp, why
from gateway.config import Issuer
from gateway.ports import Clock

POLL = 0.5
"""Seconds between two looks at a file or folder of keys: a change counts within a second."""
_UNKNOWN_KEY_GAP = 1.0
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_MAX_BYTES = 256 * 1024


def source(issuer: Issuer, ca_bundle: Path | None, clock: Clock) -> LiveKeys:
    """The live keys of `issuer`. Raises ValueError for an address that is not https.

    A file is cheap to look at, so an unknown key id always does; an address is asked at most once a second, so that
    made-up key ids cannot turn the gateway against the issuer.
    """
    if issuer.jwks.startswith("https://"):
        ca = Path(issuer.ca_file) if issuer.ca_file else ca_bundle
        fetch = https(issuer.jwks, ca, Path(issuer.token_file) if issuer.token_file else None)
        return LiveKeys(issuer.jwks, fetch, interval=issuer.refresh, gap=_UNKNOWN_KEY_GAP, clock=clock)
    if "://" in issuer.jwks:
        raise ValueError(f"issuer {issuer.name}: jwks is a file or an https:// address")
    return LiveKeys(issuer.jwks, file(Path(issuer.jwks)), interval=min(issuer.refresh, POLL), gap=0.0, clock=clock)


def file(path: Path) -> Fetch:
    """Reads `path` when its stamp changed."""
    seen: Stamp | None = None

    async def fetch() -> bytes | None:
        nonlocal seen
        last, seen = seen, None
        # Taken before the reading: a file that changes meanwhile differs from it and is read again.
        now, raw = _read_if_changed(path, last)
        seen = now
        return raw

    return fetch


def https(url: str, ca_bundle: Path | None, token_file: Path | None = None) -> Fetch:
    """Asks `url`, whose certificate must be signed by `ca_bundle` (PEM; None means the system's authorities), with the bearer
    token in `token_file`, if any.

    Both files are read for each request, so that they may rotate. Redirects are not followed: the address in the
    configuration is the one that is trusted, and the token is for nobody else.
    """

    async def fetch() -> bytes:
        trust = await asyncio.to_thread(_trust, ca_bundle)
        headers = await asyncio.to_thread(_bearer, token_file)
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(url, ssl=trust, headers=headers, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise SourceError(f"the answer was HTTP {response.status}")
                return await _bounded(response.content)
        except TimeoutError:
            raise SourceError(f"no answer within {_TIMEOUT.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise SourceError(_in_words(error)) from None

    return fetch


def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise SourceError(f"its authorities cannot be read from {ca_bundle} ({why(error)})") from None


def _bearer(token_file: Path | None) -> dict[str, str]:
    """The header with the token. Errors name the file, never what is in it."""
    if token_file is None:
        return {}
    try:
        token = token_file.read_text("ascii").strip()
    except OSError as error:
        raise SourceError(f"its token cannot be read from {token_file} ({why(error)})") from None
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token or len(token) > MAX_TOKEN:
        raise SourceError(f"{token_file} holds no bearer token")
    return {"authorization": f"Bearer {token}"}


def _read_if_changed(path: Path, last: Stamp | None) -> tuple[Stamp, bytes | None]:
    try:
        now = stamp(path)
        if now[2] > _MAX_BYTES:
            raise SourceError(f"it is larger than {_MAX_BYTES} bytes")
        return now, None if now == last else path.read_bytes()
    except OSError as error:
        raise SourceError(why(error)) from None


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    raw = bytearray()
    async for chunk in content.iter_any():
        raw += chunk
        if len(raw) > _MAX_BYTES:
            raise SourceError(f"the answer is larger than {_MAX_BYTES} bytes")
    return bytes(raw)


def _in_words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({why(error.os_error)})"
    return why(error) if isinstance(error, OSError) else f"the request failed ({type(error).__name__})"
