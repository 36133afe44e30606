"""Values of charts/gateway, from firebreak.yaml, its services and its policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.chart.image import Image
from cli.chart.names import GATEWAY
from cli.chart.quantities import duration, size
from cli.chart.service import Described, mapping
from cli.chart.text import ChartError, Section, as_text, own
from gateway.adapters.config_files import Loaded
from gateway.adapters.policy.bundle import policy_files, read_bundle
from gateway.config import Admission, Journal, Rate
from gateway.policy import PolicyError

MOST = 1024**2
"""Bytes that a ConfigMap holds."""

DERIVED = frozenset({"image", "services", "policies", "admission", "journal"})

_LEFT_OUT = {"policy": {"timeout", "reload"}, "proof": {"every"}}

_PATH = re.compile(r"(?=.{1,200}$)[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")

_SERVICES = """\
Made by `firebreak chart gateway` from firebreak.yaml and what it names: edit that, not this, and make it again; what you set in
here of other things stays. `firebreak chart gateway --check` says whether this is as it would be made now.
EDIT: set serviceAccounts.issuer and .jwks of your cluster, here or in a file of your own."""
_POLICIES = "The policy by file. Its tests are among it: they must pass on the engine in use before it is in force."
_ADMISSION = (
    "What one replica takes at once, from one principal and within one session; as `admission` of firebreak.yaml."
)
_JOURNAL = """\
EDIT: a pod's disk keeps no journal, so name the Secret of a PostgreSQL (postgresql.urlSecret). A mode of "" is best-effort
with it and none without; it is required where journal.mode of firebreak.yaml is. What else that file sets of it is here too."""


def sections(loaded: Loaded, services: Sequence[Described], image: Image, kept: Mapping[str, Any]) -> list[Section]:
    """The gateway's values file, with what somebody has set in the one that is there, `kept`. Raises ChartError."""
    config = loaded.config
    said = {service.name: dict(service.said) for service in services}
    _fits("the services' configuration", (as_text([Section(*each)]) for each in said.items()))
    journal = {**mapping(kept, "journal"), "mode": _mode(loaded, kept), **_recording(config.journal)}
    return [
        Section("services", said, _SERVICES),
        Section("policies", policies(loaded.root / config.policy.path), _POLICIES),
        Section("admission", {**mapping(kept, "admission"), **_admission(config.admission)}, _ADMISSION),
        Section("journal", journal, _JOURNAL),
        *_image(image, kept),
        *own(kept, DERIVED),
    ]


def notes(loaded: Loaded) -> Iterator[str]:
    """What firebreak.yaml sets that a values file has no place for."""
    for part, settings in _LEFT_OUT.items():
        for key in sorted(settings & getattr(loaded.config, part).model_fields_set):
            yield f"{part}.{key} of {loaded.path.name} is not in the values: the gateway there has its default"
    for issuer in loaded.config.identity.issuers:
        if issuer.claims:
            yield f"claims of the issuer {issuer.name} of {loaded.path.name} are not in the values: set users.claims there"
    for route in loaded.config.routes:
        yield f"the route {route.name} of {loaded.path.name} is not in the values: only services are"


def policies(folder: Path) -> dict[str, str]:
    """The policy's files by their paths. Raises ChartError where it would not come into force, or does not fit."""
    try:
        read_bundle(folder)
    except PolicyError as error:
        raise ChartError(f"the policy is wrong; mend it first:\n{error}") from None
    files = {file.relative_to(folder).as_posix(): file.read_bytes().decode() for file in policy_files(folder)}
    _can_be_keys(files)
    _fits("the policy", files.values())
    return files


def _can_be_keys(files: Iterable[str]) -> None:
    """A key of a ConfigMap has no slash, so that a path is written with `--` for it, and has no other."""
    for file in files:
        if _PATH.fullmatch(file) is None or "--" in file:
            raise ChartError(
                f"{file}: in a ConfigMap a file's path is letters, digits, underscores, dots and single dashes; rename it"
            )


def _fits(what: str, texts: Iterable[str]) -> None:
    size = sum(len(text.encode()) for text in texts)
    if size > MOST:
        raise ChartError(f"{what} has {size} bytes, and a ConfigMap holds {MOST}: make it smaller by {size - MOST}")


def _admission(config: Admission) -> dict[str, Any]:
    return {
        "inFlight": config.in_flight,
        "principalRate": _rate(config.principal_rate),
        "maxDepth": config.max_depth,
        "sessionCalls": config.session_calls,
        "sessionRate": _rate(config.session_rate),
        "requestBytes": size(config.request_bytes),
        "maxDeadline": duration(config.max_deadline),
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {"perSecond": rate.per_second, "burst": rate.burst}


def _mode(loaded: Loaded, kept: Mapping[str, Any]) -> Any:
    """What is configured. But the file of a best-effort journal is no more than a pod's disk there: "" leaves it to the chart.

    Somebody's choice of best-effort or none stays.
    """
    configured, there = loaded.config.journal.mode, mapping(kept, "journal").get("mode")
    if configured == "best-effort":
        return there if there in ("best-effort", "none") else ""
    return configured


def _recording(config: Journal) -> dict[str, Any]:
    """What firebreak.yaml sets. The rest is the chart's, or somebody's choice for there, which may be a shorter retention."""
    retention = config.retention
    every = {
        "timeout": duration(config.timeout),
        "buffer": size(config.buffer),
        "inline": size(config.inline),
        "retention": {
            "content": duration(retention.content),
            "person": duration(retention.person),
            "record": duration(retention.record),
            "size": size(retention.size),
        },
    }
    return {key: value for key, value in every.items() if key in config.model_fields_set}


def _image(image: Image, kept: Mapping[str, Any]) -> list[Section]:
    found = image.of(GATEWAY, {}, mapping(kept, "image"))
    return [Section("image", found)] if found else []
