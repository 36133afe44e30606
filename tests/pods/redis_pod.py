"""A real Redis in the pods' network, which keeps nothing."""

from __future__ import annotations

import time
from pathlib import Path

from tests.contract.quotas.redis_server import PATIENCE, find_redis
from tests.pods.container import Box, Container
from tests.pods.images import Image
from tests.pods.network import Network

PORT = 6379


class RedisPod:
    """Begins without it: `start` starts it, empty, also after `kill`."""

    def __init__(self, network: Network, address: str, folder: Path) -> None:
        network.pod(address)
        program = Path(find_redis()).resolve()
        image = Image((str(program),), ((program.parent, str(program.parent)),), "/")
        box = Box(network, address, "redis", image, ("--tmpfs", "/tmp"), {})
        words = [*image.entrypoint, "--bind", address, "--port", str(PORT), "--protected-mode", "no", "--save", ""]
        self._container = Container("redis", box, words, folder / "redis.log")
        self._network, self._address = network, address

    def start(self) -> None:
        self._container.start()
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < end, f"Redis did not start: {self._container.text()}"
            time.sleep(0.02)

    def kill(self) -> None:
        self._container.kill()

    def _answers(self) -> bool:
        try:
            with self._network.connect(self._address, PORT) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False
