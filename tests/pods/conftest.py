"""One node for all tests of this folder: databases, services and two gateways, which tests set up as they need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.journal.postgres_server import PostgresServer, postgres
from tests.pods.cluster import Cluster


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def cluster(postgres_server: PostgresServer) -> Iterator[Cluster]:
    made = Cluster(postgres_server)
    try:
        yield made
    finally:
        made.close()
