"""The network that the containers of a pod share. Runs in one of its own, and starts in it what it is told.

Its arguments are a folder and a port. `FOLDER/calls.sock` leads to port 7600 of loopback, where the service listens. At the
port on loopback is a host whose pages are "page PATH", and which notes the paths in `FOLDER/visited`. Each line of standard
input is a JSON object {"command", "log"}; the answer is the process id. Everything ends with standard input.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SERVICE = 7600


def serve(folder: Path, port: int) -> None:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with (folder / "visited").open("a") as file:
                file.write(f"{self.path}\n")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"page {self.path}".encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", port), Pages).serve_forever, daemon=True).start()


def lead_in(folder: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "calls.sock"))
    listener.listen()

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", SERVICE))
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=copy, args=(source, sink), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main(folder: Path, port: int) -> None:
    serve(folder, port)
    lead_in(folder)
    children = []
    for line in sys.stdin:
        asked = json.loads(line)
        with open(asked["log"], "wb") as log:
            children.append(subprocess.Popen(asked["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        print(children[-1].pid, flush=True)
    for child in children:
        child.kill()
        child.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
