"""What the proxy answers itself, where it does not pass something on."""

from __future__ import annotations

MARK = "Firebreak-Egress"
"""The header by which a client knows the proxy's own answers; a host's are passed on without it."""
_FAILED = (502, 504)


class Answered(Exception):
    """Ends a connection. `reason` is for the log, `advice` says what to do. Both name host and port of a request at most."""

    def __init__(self, status: int, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.advice = status, reason, advice

    @property
    def verdict(self) -> str:
        return "failed" if self.status in _FAILED else "refused"

    def encoded(self) -> bytes:
        """The whole answer. The text stands in its first line too: most clients show nothing but that."""
        text = f"Firebreak egress: {self.reason}" + (f". {self.advice}" if self.advice else "")
        return (
            f"HTTP/1.1 {self.status} {text}\r\n"
            f"{MARK}: {self.verdict}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(text) + 1}\r\n"
            "Connection: close\r\n"
            f"\r\n{text}\n"
        ).encode("ascii", "replace")
