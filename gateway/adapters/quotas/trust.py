"""Whose certificates a Redis may show."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from redis.asyncio.connection import RedisSSLContext, SSLConnection


class Trust(RedisSSLContext):
    """The authorities in `file` (PEM) and no others, or the system's where it is None.

    The client's own would trust the system's beside the file, and read all of them again for each connection, which takes
    longer than a question may.
    """

    def __init__(self, file: Path | None) -> None:
        super().__init__(cert_reqs="required", check_hostname=True)
        self._file = file
        self._system = ssl.create_default_context() if file is None else None

    def get(self) -> ssl.SSLContext:
        """For a new connection: a file that was replaced is in use from the next one on. Raises OSError."""
        if self._system is not None:
            return self._system
        try:
            return ssl.create_default_context(cafile=self._file)
        except OSError as error:
            raise Unreadable(error.strerror or type(error).__name__) from None


class Unreadable(OSError):
    """The file of authorities cannot be read, or holds none."""


class Encrypted(SSLConnection):
    """TLS, always: a server that cannot prove its name is sent nothing."""

    def __init__(self, *, trust: Trust, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.ssl_context = trust


def in_words(error: BaseException) -> str:
    """Why a connection failed, from the exception that the client makes of it."""
    cause = error.__context__
    if isinstance(cause, Unreadable):
        return f"is not asked: its authorities cannot be read ({cause})"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"has a certificate that is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"does not speak TLS as it must: {cause.reason or type(cause).__name__}"
    return f"does not answer: {type(error).__name__}"
