"""Makes the probes of a service and says what they prove: calls that policy must deny, and calls that must be answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from gateway.call import Call, Facts, Peer, Principal, Session
from gateway.config import STRANGER, AllowProbe, DenyProbe, Probes, ServiceConfig
from gateway.core.deadline import NEVER
from gateway.errors import CallError
from gateway.ports import Clock
from gateway.proof import SELF_TEST, Promise, Promises, Verdict
from gateway.proving.messages import method_of, request_of, stranger
from gateway.proving.verdicts import FAILED, of_allow, of_deny
from gateway.service import Finish, Send, Service
from gateway.targets import Target

_log = logging.getLogger("firebreak.proof")

_PAUSE = 0.002
"""Seconds between two questions to policy. An engine in this process decides without ever waiting, and a change of policy has
every target ask: calls must not wait for all of that."""

LISTENER = "probes"
"""Where probes seem to come in: no listener's name that a configuration gives counts for them."""


class Prober:
    """What each part of a target's proof finds. Never raises; what could not be tried is UNKNOWN."""

    def __init__(
        self,
        judged: Callable[[Target], Service],
        answering: Callable[[Target], Service],
        self_test: Callable[[Target], Awaitable[Promises]],
        services: Mapping[str, str],
        revision: Callable[[], str],
        new_id: Callable[[], str],
        clock: Clock,
    ) -> None:
        """`judged` takes a call as far as a permit, `answering` to the target; `services` are names by identity."""
        self._judged = judged
        self._answering = answering
        self._self_test = self_test
        self._services = services
        self._revision = revision
        self._new_id = new_id
        self._clock = clock

    @property
    def revision(self) -> str:
        """Of the policy in force: probes prove nothing of another one."""
        return self._revision()

    async def denied(self, target: Target) -> Promises:
        """Whether policy denies what it must: the service's deny probes, and whatever a stranger wants. Nothing is called."""
        declared = [await self._denied(target, probe.name, (probe,)) for probe in _probes(target).deny]
        return (*declared, await self._denied(target, "stranger", stranger(target, STRANGER)))

    async def answered(self, target: Target) -> Promises:
        """Whether policy allows, and the service answers, what they must. One after the other: they take one place at most."""
        return tuple([await self._answered(target, probe) for probe in _probes(target).allow])

    async def enclosed(self, target: Target) -> Promises:
        """What the service's own self-test finds of the walls around it; empty where nobody answers for any."""
        try:
            return await self._self_test(target)
        except Exception:
            _log.exception("the self-test of %s failed", target.name)
            return (Promise(SELF_TEST, Verdict.UNKNOWN, FAILED),)

    async def _denied(self, target: Target, name: str, probes: tuple[DenyProbe, ...]) -> Promise:
        for probe in probes:
            verdict, detail = await self._judge(target, probe)
            if verdict is not Verdict.HELD:
                return Promise(f"deny:{name}", verdict, detail)
        return Promise(f"deny:{name}", Verdict.HELD)

    async def _judge(self, target: Target, probe: DenyProbe) -> tuple[Verdict, str]:
        await asyncio.sleep(_PAUSE)
        call = self._call(target, probe)
        outcome = await _end(self._judged(target), call, _ignore)
        return of_deny(call, probe, outcome)

    async def _answered(self, target: Target, probe: AllowProbe) -> Promise:
        answer: list[bytes] = []

        async def receive(message: bytes) -> None:
            answer.append(message)

        call = self._call(target, probe)
        outcome = await _end(self._answering(target), call, receive)
        verdict, detail = of_allow(call.method, probe, outcome, answer)
        return Promise(f"allow:{probe.name}", verdict, detail)

    def _call(self, target: Target, probe: DenyProbe) -> Call:
        """`probe` as a call. A service's own principal stands alone on the chain, which is when policy allows most."""
        call_id, principal = self._new_id(), Principal(probe.as_, "firebreak", self._services.get(probe.as_))
        facts = Facts(started=self._clock(), open_ended=True, principal=principal.id, chain=(principal.id,))
        return Call(
            id=call_id,
            method=method_of(target, probe.action),
            metadata=(),
            request=request_of(target, probe),
            deadline=NEVER,  # Validate makes it the target's own
            listener=LISTENER,
            peer=Peer(),
            facts=facts,
            principal=principal,
            session=Session(call_id, (principal.id,)),
        )


def _probes(target: Target) -> Probes:
    return target.config.probes if isinstance(target.config, ServiceConfig) else Probes()


async def _ignore(message: bytes) -> None:
    """Nothing is answered to whom policy only judges."""


async def _end(service: Service, call: Call, send: Send) -> Finish | Exception:
    try:
        return await service(call, send)
    except CallError as error:
        return error
    except Exception as error:
        _log.exception("the probe %s of %s failed", call.method.name, call.facts.target)
        return error
