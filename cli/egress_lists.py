"""From services' configuration to the file that the egress proxy goes by."""

from __future__ import annotations

import json
from collections.abc import Iterable

from gateway.config import Egress, ServiceConfig


def egress_lists(services: Iterable[ServiceConfig]) -> str:
    """What each service may reach, as `cli.egress.lists` reads it; those that may reach nothing are not in it."""
    allowed = {service.name: [_shown(entry) for entry in service.egress] for service in services if service.egress}
    return json.dumps({"services": allowed}, indent=1)


def _shown(entry: Egress) -> dict[str, object]:
    return {
        "scheme": entry.scheme,
        "host": entry.host,
        "port": entry.port,
        "below": entry.below,
        "private": entry.private,
    }
