"""SPIFFE ids in client certificates (https://spiffe.io/docs/latest/spiffe-specs/)."""

from __future__ import annotations

import re

_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_MAX_LENGTH = 2048
SCHEME = "spiffe://"


class BadSpiffeIdError(ValueError):
    """The certificate names nobody in the trust domain; the text says why."""


def spiffe_id(uris: tuple[str, ...], trust_domain: str) -> str:
    """The one SPIFFE id among the URI names of a verified certificate, e.g. "spiffe://firebreak.local/user/developer".

    A certificate has exactly one URI name, in our trust domain, with a path in its plain form, so that one identity
    is never written in two ways. Raises BadSpiffeIdError.
    """
    if len(uris) != 1:
        raise BadSpiffeIdError("it has not exactly one URI name")
    uri, prefix = uris[0], f"{SCHEME}{trust_domain}/"
    if not uri.startswith(prefix) or len(uri) > _MAX_LENGTH:
        raise BadSpiffeIdError(f"its URI name is not in {prefix}")
    for segment in uri[len(prefix) :].split("/"):
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise BadSpiffeIdError("the path of its SPIFFE id is not in plain form")
    return uri
