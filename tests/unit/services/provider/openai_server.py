"""A server on loopback that speaks the part of OpenAI's HTTP interface that chat models use.

The last message says what it does. Its errors quote the key that they were asked with, as a careless provider's do.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-Test-9f8e7d6c5b4a39281706"
WORDS = ("The ", "tide ", "turns.")
USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
ERRORS = {
    "400": ("invalid_request_error", None),
    "401": ("invalid_request_error", "invalid_api_key"),
    "403": ("permission_error", None),
    "404": ("invalid_request_error", "model_not_found"),
    "413": ("invalid_request_error", None),
    "429": ("requests", "rate_limit_exceeded"),
    "500": ("server_error", None),
    "503": ("server_error", None),
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


class OpenAiServer:
    """Takes requests until it is closed. `asked` are their bodies, `keys` what they were authorized with."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.gone = threading.Event()
        """Set when a caller went away before a slow answer was complete."""
        self.release = threading.Event()
        """Lets a slow answer end."""
        server = self

        class Handler(_Handler):
            owner = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def base_url(self) -> str:
        host = "127.0.0.1" if self._scheme == "http" else "localhost"
        return f"{self._scheme}://{host}:{self.port}/v1"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: OpenAiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers["authorization"].removeprefix("Bearer ")
        self.owner.asked.append(body)
        self.owner.keys.append(key)
        wish = _wish(body)
        if key != KEY or wish in ERRORS:
            self._error("401" if key != KEY else wish, key)
        elif wish == "too long":
            self._error("400", key, "context_length_exceeded")
        elif wish == "no json":
            self._whole(b"<html>proxy</html>", "text/html")
        elif body.get("stream"):
            self._stream(wish, body)
        else:
            if self._still_there(wish):
                self._whole(json.dumps(_completion(wish)).encode())

    def _error(self, status: str, key: str, code: str | None = None) -> None:
        kind, usual = ERRORS[status]
        text = f"Something about {key} at /srv/models and the prompt: maximum context length"
        error = {"message": text, "type": kind, "code": code or usual, "param": None}
        self._whole(json.dumps({"error": error}).encode(), status=int(status))

    def _whole(self, body: bytes, content: str = "application/json", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", content)
        self.send_header("content-length", str(len(body)))
        if status == 429:
            self.send_header("retry-after", "7")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, wish: str, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for event in _events(wish, bool(body.get("stream_options", {}).get("include_usage"))):
                self.wfile.write(f"data: {event}\n\n".encode())
                self.wfile.flush()
                if not self._still_there(wish):
                    return
        except OSError:
            self.owner.gone.set()

    def _still_there(self, wish: str) -> bool:
        """Where the answer is to be slow, waits until it is released; False when the caller went away meanwhile."""
        while wish == "slow" and not self.owner.release.wait(0.01):
            self.connection.setblocking(False)
            try:
                if self.connection.recv(1) == b"":
                    self.owner.gone.set()
                    return False
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            finally:
                self.connection.setblocking(True)
        return True


def _wish(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def _completion(wish: str) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": "".join(WORDS)}
    if wish == "tool":
        said = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    choice = {"index": 0, "message": said, "finish_reason": "tool_calls" if wish == "tool" else "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}


def _events(wish: str, usage: bool) -> Iterator[str]:
    if wish == "tool":
        yield _chunk({"role": "assistant", "tool_calls": [{"index": 0, **CALL}]})
    else:
        yield _chunk({"role": "assistant", "content": ""})
        yield from (_chunk({"content": word}) for word in WORDS)
    if wish == "cut":
        return
    if wish == "error inside":
        yield json.dumps({"error": {"message": f"{KEY} is out of luck", "type": "server_error", "code": None}})
        return
    yield _chunk({}, "tool_calls" if wish == "tool" else "stop")
    if usage:
        yield json.dumps({**_frame(), "choices": [], "usage": USAGE})
    yield "[DONE]"


def _chunk(delta: dict[str, Any], reason: str | None = None) -> str:
    return json.dumps({**_frame(), "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def _frame() -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
