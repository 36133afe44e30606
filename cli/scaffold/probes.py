"""The grant for the call by which the gateway proves a new service: exactly that one, as its template declares it."""

from __future__ import annotations

from typing import Any

from cli.scaffold.names import NewKind
from gateway.config import PROBE

ROLE = "probe"
"""Of the principal that the gateway makes probes as."""
HOLDERS = {"principals": [PROBE]}

_GRANTS: dict[NewKind, dict[str, Any]] = {
    NewKind.TOOL: {"actions": ["call"], "args": {"only": ["text"], "fields": {"text": {"values": ["hello"]}}}},
    NewKind.MODEL: {
        "actions": ["call"],
        "prompt": {"max_messages": 1, "max_characters": len("hello"), "roles": ["user"], "tools": []},
    },
    NewKind.AGENT: {"actions": ["describe"]},
}


def grant(kind: NewKind) -> dict[str, Any]:
    """The grant named as its role."""
    return {ROLE: {"roles": [ROLE], **_GRANTS[kind]}}
