"""Where key sets come from: a file, or an https address."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp

from gateway.adapters.identity.live_keys import Fetch, LiveKeys, SourceError
from gateway.adapters.identity.watched_file import Stamp, stamp, why
from gateway.config import Issuer
from gateway.ports import Clock

POLL = 0.5
"""Seconds between two looks at a file or folder of keys: a change counts within a second."""
_UNKNOWN_KEY_GAP = 1.0
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_MAX_BYTES = 256 * 1024
_ADVICE = dict.fromkeys((401, 403), ", and no credential is ever sent: fetch the keys yourself and give them as a file")


def source(issuer: Issuer, ca_bundle: Path | None, clock: Clock) -> LiveKeys:
    """The live keys of `issuer`. Raises ValueError for an address that is not https.

    A file is cheap to look at, so an unknown key id always does; an address is asked at most once a second, so that
    made-up key ids cannot turn the gateway against the issuer.
    """
    if issuer.jwks.startswith("https://"):
        ca = Path(issuer.ca_file) if issuer.ca_file else ca_bundle
        return LiveKeys(issuer.jwks, https(issuer.jwks, ca), interval=issuer.refresh, gap=_UNKNOWN_KEY_GAP, clock=clock)
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


def https(url: str, ca_bundle: Path | None) -> Fetch:
    """Asks `url`, whose certificate must be signed by `ca_bundle` (PEM; None means the system's authorities).

    The file is read for each request, so that it may be replaced. Redirects are not followed: the address in the
    configuration is the one that is trusted.
    """

    async def fetch() -> bytes:
        trust = await asyncio.to_thread(_trust, ca_bundle)
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(url, ssl=trust, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    raise SourceError(f"the answer was HTTP {response.status}{_ADVICE.get(response.status, '')}")
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
