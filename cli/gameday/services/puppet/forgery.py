"""Tokens that nobody issued, made of one that somebody did."""

import base64
import hashlib
import hmac
import json
from typing import Any


def rewritten(token: str, **claims: Any) -> str:
    """`token` with other claims under its old signature."""
    head, body, signature = token.split(".")
    return f"{head}.{_encoded(_decoded(body) | claims)}.{signature}"


def signed(token: str, algorithm: str, key: bytes, **claims: Any) -> str:
    """The claims of `token` and others, signed by `algorithm` with a key that is not the issuer's; "none" signs nothing."""
    head, body, _ = token.split(".")
    unsigned = f"{_encoded(_decoded(head) | {'alg': algorithm})}.{_encoded(_decoded(body) | claims)}"
    if algorithm == "none":
        return unsigned + "."
    return f"{unsigned}.{_base64(hmac.digest(key, unsigned.encode(), hashlib.sha256))}"


def _decoded(part: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def _encoded(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
