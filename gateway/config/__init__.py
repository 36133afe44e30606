"""Configuration as frozen types. An unknown key is an error; every field has an effect that a test shows.

Durations are written "250ms", "10s", "2m" and held in seconds; sizes are written "64KiB", "1MiB" and held in bytes.
adapters/config_files reads these from YAML and names file and line of what is wrong.
"""

from __future__ import annotations

from gateway.config.bounds import Breaker, Effect, Limits, Rate, Retry, Tokens
from gateway.config.main_file import (
    Admission,
    GatewayConfig,
    Identity,
    Issuer,
    Listener,
    Opa,
    Policy,
    Proof,
    ServiceEntry,
    ServiceTls,
    Telemetry,
    Tls,
)
from gateway.config.quotas import Quotas
from gateway.config.recording import Journal, Recorded, Recording, Retention
from gateway.config.route import RouteConfig
from gateway.config.service import Runtime, ServiceConfig, Uses
from gateway.config.values import Config, Duration, Name, Size, parse_duration, parse_size
from gateway.config.walls import PROBE, STRANGER, AllowProbe, DenyProbe, Egress, Probes, Sandbox

__all__ = [
    "PROBE",
    "STRANGER",
    "Admission",
    "AllowProbe",
    "Breaker",
    "Config",
    "DenyProbe",
    "Duration",
    "Effect",
    "Egress",
    "GatewayConfig",
    "Identity",
    "Issuer",
    "Journal",
    "Limits",
    "Listener",
    "Name",
    "Opa",
    "Policy",
    "Probes",
    "Proof",
    "Quotas",
    "Rate",
    "Recorded",
    "Recording",
    "Retention",
    "Retry",
    "RouteConfig",
    "Runtime",
    "Sandbox",
    "ServiceConfig",
    "ServiceEntry",
    "ServiceTls",
    "Size",
    "TargetConfig",
    "Telemetry",
    "Tls",
    "Tokens",
    "Uses",
    "parse_duration",
    "parse_size",
]

TargetConfig = ServiceConfig | RouteConfig
"""What the chain reads of a target."""
