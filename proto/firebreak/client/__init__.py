"""A thin client of a Firebreak gateway; needs grpcio and protobuf only.

from firebreak.client import Client

with Client.local() as firebreak:
    print(firebreak.call("calculator", {"expression": "1234 * 5678"}).text)
"""

from firebreak.client.aio import AsyncClient
from firebreak.client.connection import Connection, Tls
from firebreak.client.errors import CallFailed, FieldViolation
from firebreak.client.payload import Answer, RunEvent
from firebreak.client.sync import Client

__all__ = ["Answer", "AsyncClient", "CallFailed", "Client", "Connection", "FieldViolation", "RunEvent", "Tls"]
