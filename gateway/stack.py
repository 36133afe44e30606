"""The chain, written once, in the order in which a call passes it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from gateway.config import GatewayConfig
from gateway.core.usage import UsageTable
from gateway.filters.admit import admit
from gateway.filters.authenticate import authenticate
from gateway.filters.authorize import authorize
from gateway.filters.bulkhead import Bulkheads, bulkhead
from gateway.filters.circuit_breaker import Breakers, circuit_breaker
from gateway.filters.deadline import deadline
from gateway.filters.forward import forward
from gateway.filters.journal import announce, capture, journal
from gateway.filters.record import record
from gateway.filters.retry import RetryBudgets, Sleep, retry
from gateway.filters.token_quota import TokenQuotas, token_quota
from gateway.filters.validate import validate
from gateway.judge import Judge
from gateway.policy import PolicyEngine
from gateway.ports import Authenticator, Clock, Journal, Quotas, Recorder, SessionIssuer, Upstream
from gateway.proving.stages import Alone, Unrecorded, permitted, serving
from gateway.schemas import Schemas
from gateway.service import Filter, Service
from gateway.targets import Target, Targets


@dataclass(frozen=True, slots=True)
class Stack:
    """The gateway's chains and what its own services and /status read of them.

    `serve` carries a call to a target. `gateway` wraps a service that the gateway answers itself. Both share one admission.
    `refused` wraps what the listeners refuse before there is anything to admit, so that it goes on record too. `judged` carries
    a probe of a target as far as policy's permit, `probed` to the target itself.
    """

    serve: Service
    gateway: Filter
    refused: Filter
    judged: Callable[[Target], Service]
    probed: Callable[[Target], Service]
    judge: Judge
    breakers: Breakers
    bulkheads: Bulkheads
    budgets: RetryBudgets
    usage: UsageTable


def build(
    *,
    config: GatewayConfig,
    targets: Targets,
    authenticator: Authenticator,
    sessions: SessionIssuer,
    engine: PolicyEngine,
    recorder: Recorder,
    keeper: Journal,
    upstream: Upstream,
    breakers: Breakers,
    in_flight: set[str],
    clock: Clock,
    random: Callable[[], float],
    sleep: Sleep,
    draining: Callable[[], bool],
    new_id: Callable[[], str] | None = None,
    quotas: Quotas | None = None,
) -> Stack:
    """The chains over the given adapters.

    `in_flight` is kept by Record and read by whoever verifies session tokens; `new_id` makes decision ids;
    `quotas` are what other gateways share with this one.
    """
    new_id = new_id or numbered_ids(secrets.token_hex(8))
    judge, schemas = Judge(engine, config.policy.timeout, new_id), Schemas()
    bulkheads, budgets, usage = Bulkheads(clock), RetryBudgets(clock), UsageTable()
    records = (
        # Outermost, so that rejections are on record too, and so that nothing but a CallError gets past it.
        record(recorder, in_flight),
        # Right behind it, so that a record that is missing is counted and logged as the caller sees it. Before Deadline,
        # which would end a call of which the target's answer is there while its record is being written.
        journal(keeper),
    )
    entrance = (
        *records,
        # Before all work: what authentication and policy take is charged to the caller's time.
        deadline(config.admission.max_deadline, clock),
        # Before Admit, which counts by principal and by depth. A verified token is cached, so that this is cheap.
        authenticate(authenticator, clock),
        # Before Validate and Authorize, the first stages whose cost grows with the request.
        admit(config.admission, clock, draining, shared=quotas),
    )
    chain = (
        *entrance,
        # Before Authorize, because policy judges what was parsed here; it says nothing about rights.
        validate(config.admission, targets, clock),
        # Before every stage that touches the target's places, budget or breaker: a stranger must not use them up.
        authorize(judge, schemas, clock),
        # Behind Authorize: who may not call is told that, not what was used up. Before Bulkhead: to be refused needs no place.
        token_quota(usage, TokenQuotas(), clock),
        # Outside Retry: a call holds one place through all its attempts, so that retries cannot multiply the load.
        bulkhead(clock, bulkheads, quotas),
        # Behind Bulkhead, so that a call which only waited for a place was never announced. Outside Retry: once is enough.
        *((announce(keeper, clock),) if keeper.required else ()),
        # Outside CircuitBreaker, so that the breaker counts each attempt and may reject the next one.
        retry(clock, random, sleep, budgets),
        # Next to Forward: it judges the target by what the target did, not by what a stage did.
        circuit_breaker(breakers, clock),
    )
    # A log of decisions of its own: those on probes would push those on calls out of the other.
    probing, unrecorded = Judge(engine, config.policy.timeout, new_id), Unrecorded()

    def probe(target: Target, *end: Filter, service: Service) -> Service:
        """What a probe passes. It is no call, so nothing records, admits or charges it. It takes no place and is not repeated.

        A breaker is neither moved by it nor keeps it from its target: it is to find out how that is.
        """
        stages = (
            # Of this one target, which calls may not find yet. Makes the deadline the target's.
            validate(config.admission, Alone(target), clock),
            authorize(probing, schemas, clock, probes=True),
        )
        return compose((*stages, *end), service)

    unrecorded_forward = forward(upstream, sessions, unrecorded, unrecorded, clock)
    return Stack(
        serve=compose(chain, forward(upstream, sessions, recorder, keeper, clock)),
        # Next to the service, as Forward is next to a target.
        gateway=lambda service: compose((*entrance, capture(keeper)), service),
        refused=lambda service: compose(records, service),
        # What must be denied never reaches a target, even while policy is wrong.
        judged=lambda target: probe(target, service=permitted),
        probed=lambda target: probe(target, serving(in_flight), service=unrecorded_forward),
        judge=judge,
        breakers=breakers,
        bulkheads=bulkheads,
        budgets=budgets,
        usage=usage,
    )


def numbered_ids(prefix: str) -> Callable[[], str]:
    """Makes unique ids of `prefix`, 16 characters, and a number. Nothing rests on their being hard to guess."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):016x}"


def compose(filters: tuple[Filter, ...], service: Service) -> Service:
    """`service` behind `filters`, the first of which sees a call first."""
    for wrap in reversed(filters):
        service = wrap(service)
    return service
