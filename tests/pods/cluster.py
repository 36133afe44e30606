"""What is installed on the node: the gateway's release and those of services, over a Redis and a PostgreSQL."""

from __future__ import annotations

import base64
import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import psycopg.conninfo
from firebreak.client import CallFailed, Client, Connection
from joserfc.jwk import OctKey
from typer.testing import CliRunner

from cli.main import app
from tests.contract.journal.postgres_server import PostgresServer
from tests.pods import values
from tests.pods.clients import Caller
from tests.pods.issuer import Issuer
from tests.pods.node import Node
from tests.pods.pod import Pod

GATEWAY = "firebreak-gateway"
SERVICES = ("calculator", "tally", "walker")
PATIENCE = 60.0
"""Seconds for what takes one on an idle machine."""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """What `condition` returns once it is true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.02)
    return found


class Cluster:
    """Releases on one node. `install` and `upgrade` are Helm's."""

    def __init__(self, postgres: PostgresServer) -> None:
        self.accounts, self.users = Issuer("https://cluster.test"), Issuer("https://people.test")
        self.postgres = postgres
        self.dsn = postgres.database()
        self.node = Node(self.accounts)
        self.redis = self.node.redis("redis")
        self.redis.start()
        self.node.outside("postgresql", 5432, self._to_postgresql)
        self.token = self.node.folder / "developer.token"
        self.token.write_text(self.users.token(values.USER, "firebreak", 3600))
        dsn = psycopg.conninfo.make_conninfo(self.dsn, host="postgresql")
        self.node.apply([_session_keys(), values.secret("journal", dsn=_encoded(dsn))])
        self._installed: set[str] = set()

    @property
    def shared(self) -> values.Values:
        """Values that name Redis and PostgreSQL."""
        return {
            "redis": {"url": "redis://redis:6379/0"},
            "journal": {"postgresql": {"urlSecret": {"name": "journal"}}},
            "egress": [{"cidr": "192.0.2.1/32", "port": 6379}, {"cidr": "192.0.2.2/32", "port": 5432}],
        }

    def install(self, *over: values.Values) -> None:
        """The gateway with these values, as an upgrade where there is one, and every service; returns when all is ready."""
        self.upgrade(*over, wait=False)
        missing = [name for name in SERVICES if name not in self._installed]
        for name in missing:
            self.node.apply(values.service(name))
        self._installed.update(missing)
        self.node.settle(*missing, GATEWAY)
        for pod in self.gateways:
            self.healthy(pod)

    def upgrade(self, *over: values.Values, wait: bool = True) -> None:
        """The gateway's release with these values; its pods follow where `wait` says so."""
        self.node.apply(values.gateway(self.accounts, self.users, SERVICES, *over))
        if wait:
            self.node.settle(GATEWAY)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """The shared values before and after: with the same pods, and nothing of what came between is in force any more."""
        self.install(self.shared)
        before = {pod: self.revisions(pod) for pod in self.gateways}
        yield
        self.upgrade(self.shared)
        for pod, what in before.items():
            wait_for(lambda pod=pod, what=what: self.revisions(pod) == what, "what there was is read")
            wait_for(lambda pod=pod: self.settled(pod), "what there was is in force")
            self.healthy(pod)
        assert self.gateways == [*before]

    def upgrade_service(self, name: str, *over: values.Values) -> None:
        self.node.apply(values.service(name, *over))
        self.node.settle(name)

    @property
    def gateways(self) -> list[Pod]:
        return self.node.pods(GATEWAY)

    @contextmanager
    def without_redis(self) -> Iterator[None]:
        """Redis is gone; when it is back it is empty."""
        self.redis.kill()
        try:
            yield
        finally:
            self.redis.start()

    @contextmanager
    def without_postgresql(self) -> Iterator[None]:
        self.postgres.stop()
        try:
            yield
        finally:
            self.postgres.start()

    def healthy(self, pod: Pod) -> None:
        """Waits until the gateway says that it and all services are ready."""
        wait_for(lambda: self.well(pod), f"{pod.name} is well; it says {self.doctor(pod)}, {pod.text()}")

    def well(self, pod: Pod) -> bool:
        return bool(self.doctor(pod)["well"])

    def status(self, pod: Pod) -> dict[str, Any]:
        """What /status says."""
        with urllib.request.urlopen(f"http://{pod.at(7501)}/status", timeout=5) as response:
            found: dict[str, Any] = json.load(response)
            return found

    def doctor(self, pod: Pod) -> dict[str, Any]:
        """What `firebreak doctor --json` says."""
        words = ["doctor", "--json", "--admin", pod.at(7501)]
        result = CliRunner().invoke(app, words, env={"FIREBREAK_STATE": str(self.node.folder)})
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def revisions(self, pod: Pod) -> tuple[str, str]:
        """Of policy and configuration, as the pod has read them."""
        report = self.status(pod)
        return report["gateway"]["policy"]["revision"], report["configuration"]["revision"]

    def settled(self, pod: Pod) -> bool:
        """Whether every service is ready as it was read last: one with new limits comes once it is proven."""
        return all(row["state"] == "ready" and row["next"] is None for row in self.status(pod)["services"])

    def notes(self, pod: Pod) -> str:
        """What doctor says of the gateway's own state."""
        return "\n".join(self.doctor(pod)["gateway"]["notes"])

    def caller(self) -> Caller:
        """A client of the gateway's Service."""
        return Caller(lambda: [self.node.way(GATEWAY, 7500)], self.token)

    def balanced(self, turn: int) -> Caller:
        """A client that balances over the gateways by itself; clients with different turns begin with different ones."""
        return Caller(lambda: [pod.at(7500) for pod in self.gateways if pod.ready], self.token, turn)

    def client(self, pod: Pod) -> Client:
        """A client of one gateway."""
        return Client(Connection(pod.at(7500), token_file=self.token))

    def reason(self, pod: Pod, tool: str, args: dict[str, Any]) -> str:
        """Why one gateway does not answer a call, "" where it does."""
        with self.client(pod) as client:
            try:
                client.call(tool, args, timeout=10)
            except CallFailed as failure:
                return failure.reason or failure.code
        return ""

    def count(self, query: str) -> int:
        """What a query for a number says of the journal."""
        with psycopg.connect(self.dsn, options="-c search_path=firebreak") as connection:
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            return int(row[0])

    @property
    def policies(self) -> dict[str, str]:
        """The files of the policy, as they are when nothing is changed."""
        return values.policies()

    def booked(self, prefix: str) -> list[str]:
        """Entries that calls of tally have booked, in whichever pod, as often as they did."""
        text = "".join(pod.text() for pod in (*self.node.pods("tally"), *self.node.ended))
        return re.findall(rf'"text": "booked ({re.escape(prefix)}[^"]*)"', text)

    def close(self) -> None:
        self.node.close()

    def _to_postgresql(self) -> socket.socket:
        """It is reached by a socket in its folder."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(f"{psycopg.conninfo.conninfo_to_dict(self.dsn)['host']}/.s.PGSQL.5432")
        except OSError:
            connection.close()
            raise
        return connection


def _session_keys() -> Any:
    key = OctKey.generate_key(256, {"kid": "20260101T000000Z-test", "use": "sig", "alg": "HS256"})
    return values.secret("session-keys", **{"20260101T000000Z-test.json": _encoded(json.dumps(key.as_dict()))})


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
