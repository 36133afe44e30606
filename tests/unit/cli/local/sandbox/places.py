"""Where a service of a made-up machine has its things."""

from __future__ import annotations

from pathlib import Path

from cli.local.sandbox.mounts import Place
from gateway.config import ServiceConfig

PLACE = Place(
    root=Path("/s"),
    state=Path("/st"),
    service=Path("/s/calculator"),
    env=Path("/e/calculator"),
    python=(Path("/py/lib"),),
    listen="unix:run/calculator.1/serve.sock",
    own=Path("/st/run/calculator.1"),
    door=Path("/st/run/gateway/gateway.sock"),
    token=Path("/st/identity/services-tokens/calculator/token"),
    secrets=Path("/st/secrets/calculator"),
    egress=None,
    home=Path("/st/home/calculator"),
)


def configured(**changes: object) -> ServiceConfig:
    data = {"name": "calculator", "kind": "tool", "version": "1.0.0", "entrypoint": "tool:add", "effect": "READ"}
    return ServiceConfig.model_validate(data | changes)
