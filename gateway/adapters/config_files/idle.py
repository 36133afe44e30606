"""Settings that stand in a file and change nothing: someone believes in them, so they are errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.adapters.config_files.checks import Service
from gateway.adapters.config_files.lines import Document, Key, Problem
from gateway.adapters.config_files.routes import Route
from gateway.config import Effect, GatewayConfig, Journal, Recording, RouteConfig, ServiceConfig, TargetConfig
from gateway.routed import RoutedService
from gateway.routes import METHODS, Kind

_STREAMING = {method.kind for method in METHODS.values() if method.streams_response}


def without_effect(
    document: Document, config: GatewayConfig, services: Sequence[Service], routes: Sequence[Route]
) -> Iterator[Problem]:
    """Problems for every given setting that something else makes void."""
    yield from _given(document, _void_in_gateway(config))
    for service in services:
        if service.config is not None:
            yield from _given(service.document, _void_in_service(service.config, config))
    for route in routes:
        if route.service is not None:
            void = _void_in_route(route.config, route.service, config)
            yield from _given(document, ((("routes", route.index, *key), why) for key, why in void))


def _given(document: Document, void: Iterator[tuple[Key, str]]) -> Iterator[Problem]:
    for key, why in void:
        if key in document.lines:
            yield document.problem(key, f"has no effect: {why}")


def _void_in_gateway(config: GatewayConfig) -> Iterator[tuple[Key, str]]:
    if config.policy.engine != "opa":
        yield ("policy", "opa"), "policy.engine is not opa"
    if config.telemetry.otlp is None:
        yield ("telemetry", "sample"), "spans are exported only where telemetry.otlp is set"
    if not any("jwt" in listener.accept for listener in config.listeners):
        yield ("identity", "issuers"), "no listener accepts jwt"
    yield from ((("journal", field), why) for field, why in _void_in_journal(config.journal))


def _void_in_journal(journal: Journal) -> Iterator[tuple[str, str]]:
    if journal.mode == "none":
        fields = sorted(set(Journal.model_fields) - {"mode"})
        yield from ((field, "journal.mode is none") for field in fields)
        return
    if journal.store == "sqlite":
        yield "dsn_file", "journal.store is sqlite"
    else:
        yield "path", "journal.store is postgresql"
    if journal.mode == "best-effort":
        yield "timeout", "with journal.mode best-effort no call waits"


def _void_in_service(service: ServiceConfig, gateway: GatewayConfig) -> Iterator[tuple[Key, str]]:
    streams = service.kind in _STREAMING
    if not streams:
        yield ("limits", "idle"), f"a {service.kind.value} answers with one message"
    yield from _void_in_target(service, streams, gateway)
    if service.runtime.mode == "sync":
        yield ("runtime", "calls_per_worker"), "runtime.mode sync runs one call on each worker"


def _void_in_route(route: RouteConfig, service: RoutedService, gateway: GatewayConfig) -> Iterator[tuple[Key, str]]:
    if not service.answers_stream:
        yield ("limits", "idle"), "its methods answer with one message each"
    if route.effect is Effect.MUTATING:
        yield ("retry",), "effect is MUTATING, and what changes something is never sent twice"
    elif not service.repeatable:
        yield ("retry",), "none of its methods is known, by descriptors, to take one request message"
    yield from _void_in_target(route, service.answers_stream, gateway)


def _void_in_target(target: TargetConfig, streams: bool, gateway: GatewayConfig) -> Iterator[tuple[Key, str]]:
    limits, admission = target.limits, gateway.admission
    if target.kind is not Kind.MODEL:
        yield ("limits", "tokens"), "only models count tokens"
    if limits.request_bytes > admission.request_bytes:
        yield ("limits", "request_bytes"), "the gateway's admission.request_bytes is smaller"
    if limits.max_deadline > admission.max_deadline:
        yield ("limits", "max_deadline"), "the gateway's admission.max_deadline is shorter"
    if limits.first_event > limits.max_deadline:
        yield ("limits", "first_event"), "limits.max_deadline is shorter"
    if limits.idle > limits.max_deadline and streams:
        yield ("limits", "idle"), "limits.max_deadline is shorter"
    if target.retry.attempts == 1:
        fields = set(type(target.retry).model_fields) - {"attempts"}
        yield from ((("retry", field), "retry.attempts is 1") for field in sorted(fields))
    # The section as a whole may be void: a service's file serves gateways that keep no journal too.
    if Recording.MASKED not in (target.journal.requests, target.journal.answers):
        yield ("journal", "mask"), "neither requests nor answers are masked"
