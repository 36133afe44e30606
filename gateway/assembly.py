"""Makes every part of the gateway from its configuration and hands each what it needs."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from gateway import stack, usage
from gateway.adapters.admin import Admin, Sources
from gateway.adapters.config_files import ConfigError, Loaded
from gateway.adapters.identity.make import MadeIdentity, make_identity
from gateway.adapters.identity.refusals import Refusals
from gateway.adapters.instances import Instances
from gateway.adapters.journal.writing.make import NoJournal, make_journal
from gateway.adapters.journal.writing.writer import JournalWriter
from gateway.adapters.policy.reload import LivePolicy, make_policy
from gateway.adapters.public import PublicServices
from gateway.adapters.quotas.make import LOCAL, make_quotas
from gateway.adapters.quotas.shared import SharedQuotas
from gateway.adapters.registry import Pace, Registry
from gateway.adapters.self_test import SelfTest, out_of_reach
from gateway.adapters.telemetry.lines import LineWriter
from gateway.adapters.telemetry.policy_age import PolicyAge
from gateway.adapters.telemetry.recorder import Record, make_record
from gateway.adapters.tls import LiveCertificate, TlsError
from gateway.adapters.upstream import GrpcUpstream
from gateway.config import Listener
from gateway.filters.circuit_breaker import Breakers
from gateway.ids import call_ids
from gateway.local_services import catalog, explain
from gateway.ports import Clock
from gateway.proof import Promise
from gateway.proving.gateway import GatewayProver
from gateway.proving.prober import Prober
from gateway.reload import Reload, targets
from gateway.routes import CATALOG_LIST, DECISION_EXPLAIN, METHODS
from gateway.running import Running
from gateway.server import Bound, Edge, Route, Routed, ServerLimits, make_server, share_of_connections
from gateway.service import Filter
from gateway.status import Status
from gateway.targets import Target

_MESSAGE_FACTOR = 4
"""How many times the largest allowed request a message may be and still get an error that names the limit."""

_RETRY = 0.25
"""Seconds before a service that is not up, or not proven, is asked again."""


@dataclass(slots=True)
class Progress:
    """Which calls run now, and whether new ones are taken. `in_flight` is kept by Record, `running` by the listeners."""

    in_flight: set[str] = field(default_factory=set)
    running: Running = field(default_factory=Running)
    listening: bool = False
    draining: bool = False

    def missing(self) -> dict[str, str]:
        """What keeps the gateway from taking calls, by name."""
        if self.draining:
            return {"draining": "the gateway is shutting down"}
        return {} if self.listening else {"listeners": "they are not open yet"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway, made and connected; nothing runs or listens yet except that every address is bound."""

    policy: LivePolicy
    identity: MadeIdentity
    registry: Registry
    prober: Prober
    guard: GatewayProver
    upstream: GrpcUpstream
    public: PublicServices
    servers: tuple[Bound, ...]
    admin: Admin
    record: Record
    journal: JournalWriter | NoJournal
    reload: Reload
    progress: Progress
    quotas: SharedQuotas | None


async def assemble(loaded: Loaded, lines: LineWriter, again: asyncio.Event) -> Parts:
    """Makes all parts; loads the policy. `again` asks for the configuration to be read anew.

    Raises ConfigError where the configuration turns out wrong only now.
    """
    if problems := loaded.missing_files():
        raise ConfigError(problems)
    clock, progress = asyncio.get_running_loop().time, Progress()
    policy = await _policy(loaded, clock)
    upstream = GrpcUpstream(clock, Instances().added)
    randomness = random.SystemRandom().random
    pace = Pace(loaded.config.proof.every, _RETRY, randomness, clock, lambda *tried: record.metrics.proven(*tried))
    registry = Registry(_targets(loaded), upstream.channel, upstream.retire, pace, upstream.renew, upstream.spread)
    reload = Reload(loaded, registry, again, time.time)
    identity = _identity(loaded, registry.identities, progress, clock)
    breakers = Breakers(clock)
    quotas = _quotas(loaded)
    quotas_now = quotas.report if quotas is not None else lambda: LOCAL
    guard = _guard(loaded, identity, lambda *tried: record.metrics.proven(*tried), clock)
    record = _record(
        loaded,
        lines,
        progress,
        breakers,
        lambda: journal.report(),
        reload.report,
        lambda: _broken(guard, registry),
        quotas_now,
        PolicyAge(policy, time.time).report,
        clock,
    )
    journal = make_journal(
        loaded.config.journal,
        loaded.root,
        version=version("firebreak"),
        loop=asyncio.get_running_loop(),
        wall=time.time,
        random=randomness,
        committed=record.metrics.committed,
    )
    built = stack.build(
        config=loaded.config,
        targets=registry,
        authenticator=identity.authenticator,
        sessions=identity.sessions,
        engine=policy,
        recorder=record.recorder,
        keeper=journal,
        upstream=upstream,
        breakers=breakers,
        in_flight=progress.in_flight,
        clock=clock,
        random=randomness,
        sleep=asyncio.sleep,
        draining=lambda: progress.draining,
        new_id=call_ids(),
        quotas=quotas,
    )
    self_test = SelfTest(
        upstream.channel, lambda target: out_of_reach(loaded.config, loaded.root, registry.all(), target)
    )
    prober = Prober(
        judged=built.judged,
        answering=built.probed,
        self_test=self_test.prove,
        services=registry.identities,
        revision=lambda: policy.revision,
        new_id=call_ids(),
        clock=clock,
    )
    public = PublicServices()
    routed = _routed(built, registry)
    servers = _servers(loaded, _routes(built, registry), built.refused, public, routed, progress, clock)
    status = Status(
        version=version("firebreak"),
        started=clock(),
        clock=clock,
        policy=policy,
        targets=registry,
        coming=registry.coming,
        configuration=reload.report,
        breaker=lambda target: breakers.get(target).state(clock()),
        numbers=record.latencies.summary,
        journal=journal.report,
        usage=built.usage,
        proof=lambda: guard.proof,
        sandbox=loaded.config.sandbox,
        plaintext=tuple(listener.name for listener in loaded.config.listeners if listener.plaintext),
        quotas=quotas_now,
    )
    admin = _admin(
        loaded,
        Sources(
            missing=lambda: progress.missing() | guard.missing() | journal.missing() | registry.missing(),
            metrics=lambda: (record.metrics.render(), CONTENT_TYPE_LATEST),
            status=status.report,
            usage=lambda: usage.report(built.usage),
        ),
    )
    return Parts(
        policy,
        identity,
        registry,
        prober,
        guard,
        upstream,
        public,
        servers,
        admin,
        record,
        journal,
        reload,
        progress,
        quotas,
    )


def certificates(loaded: Loaded) -> dict[str, LiveCertificate]:
    """The certificate of each listener with TLS, by its name. Raises ConfigError."""
    found, problems = {}, []
    for index, listener in enumerate(loaded.config.listeners):
        if listener.tls is not None:
            try:
                found[listener.name] = LiveCertificate(listener.tls, loaded.root)
            except TlsError as error:
                problems.append(loaded.problem(("listeners", index, "tls"), str(error)))
    if problems:
        raise ConfigError(problems)
    return found


def _targets(loaded: Loaded) -> list[Target]:
    try:
        return targets(loaded)
    except TlsError as error:
        raise ConfigError([loaded.problem(("services",), str(error))]) from error


async def _policy(loaded: Loaded, clock: Clock) -> LivePolicy:
    try:
        policy = make_policy(loaded.config.policy, loaded.root, clock)
        await policy.start()
    except Exception as error:
        raise ConfigError([loaded.problem(("policy", "path"), str(error))]) from error
    return policy


def _quotas(loaded: Loaded) -> SharedQuotas | None:
    try:
        return make_quotas(loaded.config.quotas, loaded.root)
    except ValueError as error:
        raise ConfigError([loaded.problem(("quotas",), str(error))]) from error


def _identity(loaded: Loaded, services: Mapping[str, str], progress: Progress, clock: Clock) -> MadeIdentity:
    config = loaded.config
    try:
        return make_identity(
            config.identity,
            services,
            {listener.name: listener.accept for listener in config.listeners},
            progress.in_flight,
            secrets.token_hex(8),
            clock,
            time.time,
        )
    except ValueError as error:
        raise ConfigError([loaded.problem(("identity",), str(error))]) from error


def _guard(
    loaded: Loaded, identity: MadeIdentity, count: Callable[[str, Promise], None], clock: Clock
) -> GatewayProver:
    config = loaded.config
    accept = {listener.name: listener.accept for listener in config.listeners}
    refusals = Refusals(
        identity.authenticator, identity.sessions, config.identity, accept, call_ids(), clock, time.time
    )
    return GatewayProver(refusals.prove, config.proof.every, random.SystemRandom().random, clock, count)


def _broken(guard: GatewayProver, registry: Registry) -> Mapping[str, int]:
    """How many promises are broken: the gateway's own under "", each target's under its name."""
    proofs = {"": guard.proof, **{target.name: target.proof for target in registry.all()}}
    return {name: len(proof.broken) for name, proof in proofs.items() if proof is not None}


def _record(
    loaded: Loaded,
    lines: LineWriter,
    progress: Progress,
    breakers: Breakers,
    journal: Callable[[], Mapping[str, Any]],
    configuration: Callable[[], Mapping[str, Any]],
    broken: Callable[[], Mapping[str, int]],
    quotas: Callable[[], Mapping[str, str]],
    policy: Callable[[], Mapping[str, Any]],
    clock: Clock,
) -> Record:
    def states() -> Mapping[str, str]:
        return {name: snapshot.state.value for name, snapshot in breakers.snapshots().items()}

    return make_record(
        loaded.config.telemetry,
        in_flight=lambda: len(progress.in_flight),
        breaker_states=states,
        journal=journal,
        configuration=configuration,
        broken=broken,
        quotas=quotas,
        policy=policy,
        lines=lines,
        version=version("firebreak"),
        clock=clock,
    )


def _routes(built: stack.Stack, registry: Registry) -> dict[str, Route]:
    own = {
        CATALOG_LIST: catalog(registry, built.judge),
        DECISION_EXPLAIN: explain(built.judge.log),
    }
    routes: dict[str, Route] = {name: (method, built.serve) for name, method in METHODS.items()}
    return routes | {method.name: (method, built.gateway(service)) for method, service in own.items()}


def _routed(built: stack.Stack, registry: Registry) -> Routed:
    """Looked up for each call: routed services come and go."""

    def find(name: str) -> Route | None:
        method = registry.method(name)
        return (method, built.serve) if method is not None else None

    return find


def _servers(
    loaded: Loaded,
    routes: Mapping[str, Route],
    refused: Filter,
    public: PublicServices,
    routed: Routed,
    progress: Progress,
    clock: Clock,
) -> tuple[Bound, ...]:
    admission = loaded.config.admission
    # Twice the calls in flight, so that the surplus reaches Admit, which says when to come back.
    limits = ServerLimits(
        admission.request_bytes * _MESSAGE_FACTOR,
        streams=admission.in_flight * 2,
        # More than twice that, because most of those who are connected are not calling.
        connections=min(admission.in_flight * 4, share_of_connections(len(loaded.config.listeners))),
    )
    live = certificates(loaded)
    new_id = call_ids()

    def server(index: int, listener: Listener) -> Bound:
        edge = Edge(
            listener,
            routes,
            refused,
            public.handlers(),
            routed,
            progress.running,
            clock,
            new_id,
            limits,
        )
        certificate = live.get(listener.name)
        try:
            return make_server(listener, edge, limits, certificate.credentials() if certificate else None)
        except OSError as error:
            raise ConfigError([loaded.problem(("listeners", index, "address"), str(error))]) from error

    return tuple(server(index, listener) for index, listener in enumerate(loaded.config.listeners))


def _admin(loaded: Loaded, sources: Sources) -> Admin:
    try:
        return Admin(loaded.config.admin, sources)
    except OSError as error:
        message = f"cannot listen on {loaded.config.admin}: {error.strerror}"
        raise ConfigError([loaded.problem(("admin",), message)]) from error
