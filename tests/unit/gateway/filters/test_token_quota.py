"""TokenQuota: every call of a model is counted, and who has used up what a minute allows waits for the next."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.call import Attempt, Call, Session
from gateway.core.usage import Sum, UsageTable, Used
from gateway.errors import CallError, Code, Reason
from gateway.filters.token_quota import TokenQuotas, token_quota
from gateway.service import Finish, Send
from gateway.targets import Target
from tests.unit.gateway.chain_fakes import (
    MODEL_GENERATE,
    Received,
    call,
    model_request,
    permitted,
    target,
    tool_request,
)
from tests.virtual_time import clock, virtual_time


def model(name: str = "router", per_minute: int | None = 600) -> Target:
    return target(name, "model", limits={"tokens": {"per_minute": per_minute}})


class Metered:
    """The stage before a model whose calls each use so many tokens, and end as `end` says."""

    def __init__(self, uses: Used | None = None, end: Any = None) -> None:
        self.uses, self.end = uses or Used(60, 40), end or Finish()
        self.table, self.served = UsageTable(), 0
        self.meanwhile: tuple[Target, str] | None = None
        self.service = token_quota(self.table, TokenQuotas(), clock)(self.serve)

    async def serve(self, call: Call, send: Send) -> Finish:
        self.served += 1
        if self.meanwhile:
            other, self.meanwhile = self.meanwhile, None
            await self.ask(*other)
        call.facts.attempts.append(Attempt(0.1, Code.OK))
        call.facts.used = self.uses
        if isinstance(self.end, BaseException):
            raise self.end
        ended: Finish = self.end
        return ended

    async def ask(self, of: Target, *chain: str) -> Call:
        made = permitted(call(MODEL_GENERATE, model_request(of.name)), of)
        made = replace(made, session=Session("s", chain or ("user:ada",)))
        await self.service(made, Received().send)
        return made

    async def refused(self, of: Target, *chain: str) -> CallError:
        with pytest.raises(CallError) as caught:
            await self.ask(of, *chain)
        return caught.value


@virtual_time
async def test_what_a_minute_allows_can_be_used_at_once_and_then_flows_in_evenly() -> None:
    metered, router = Metered(), model(per_minute=600)
    for _ in range(6):
        await metered.ask(router)
    error = await metered.refused(router)
    assert (error.reason, error.code) == (Reason.RATE_LIMITED, Code.RESOURCE_EXHAUSTED)
    assert (error.metadata, error.quota) == ({"target": "router"}, "tokens:router")
    assert error.retry_after == pytest.approx(0.1)  # the first of 10 tokens a second
    assert 'The 600 tokens a minute that "router" allows each principal are used up.' in error.message
    assert metered.served == 6


@virtual_time
async def test_who_waits_as_long_as_told_is_served_and_not_before() -> None:
    metered, router = Metered(Used(700, 200)), model(per_minute=600)
    await metered.ask(router)
    error = await metered.refused(router)
    assert error.retry_after == pytest.approx(30.1)  # 300 tokens are owed
    await asyncio.sleep(30.0)
    await metered.refused(router)
    await asyncio.sleep(0.11)
    await metered.ask(router)
    assert metered.served == 2


@virtual_time
async def test_over_time_no_more_is_used_than_allowed_however_large_each_call_is() -> None:
    metered, router, started = Metered(Used(1000, 500)), model(per_minute=600), clock()
    while clock() - started < 3600.0:
        try:
            await metered.ask(router)
        except CallError as error:
            await asyncio.sleep(error.retry_after or 0.0)
    assert metered.served * 1500 <= 600 + 60 * 600 + 1500


@virtual_time
async def test_one_whose_calls_are_made_by_others_is_the_one_who_is_charged() -> None:
    metered, router = Metered(Used(600, 0)), model(per_minute=600)
    await metered.ask(router, "user:ada", "service:assistant")
    await metered.refused(router, "user:ada")
    await metered.refused(router, "user:ada", "service:other")
    await metered.ask(router, "user:bob", "service:assistant")
    await metered.ask(router, "service:assistant")
    assert {who for who, _ in metered.table.pairs} == {"user:ada", "user:bob", "service:assistant"}


@virtual_time
async def test_what_was_used_of_one_model_leaves_the_other_as_it_is() -> None:
    metered = Metered(Used(600, 0))
    await metered.ask(model("router"))
    await metered.ask(model("small"))
    await metered.refused(model("router"))


@virtual_time
async def test_without_a_limit_everything_passes_and_is_counted() -> None:
    metered = Metered(Used(10**6, 0))
    for _ in range(3):
        await metered.ask(model(per_minute=None))
    assert metered.table.models == {"router": Sum(3, 3 * 10**6, 0, 0)}


@virtual_time
async def test_a_target_that_is_configured_anew_remembers_what_is_owed() -> None:
    metered = Metered(Used(900, 0))
    await metered.ask(model(per_minute=600))
    assert (await metered.refused(model(per_minute=600))).retry_after == pytest.approx(30.1)
    assert (await metered.refused(model(per_minute=6000))).retry_after == pytest.approx(3.01)


@virtual_time
async def test_a_call_of_the_older_target_is_charged_by_the_newer_ones_limit() -> None:
    metered, older, newer = Metered(), model(per_minute=600), model(per_minute=60)
    metered.meanwhile = newer, "user:bob"
    await metered.ask(older, "user:ada")
    # Of the 100 that were used 60 were there, and one comes a second.
    assert (await metered.refused(newer, "user:ada")).retry_after == pytest.approx(41.0)


@virtual_time
async def test_the_call_carries_what_it_used_for_whoever_puts_it_on_record() -> None:
    assert (await Metered(Used(3, 4)).ask(model())).facts.used == Used(3, 4)


@pytest.mark.parametrize(
    "end", [CallError(Reason.IDLE_TIMEOUT, "silent"), asyncio.CancelledError(), RuntimeError("a bug")]
)
def test_a_call_is_charged_however_it_ends(end: BaseException) -> None:
    @virtual_time
    async def scenario() -> None:
        metered, router = Metered(Used(600, 0), end), model(per_minute=600)
        with pytest.raises(type(end)):
            await metered.ask(router)
        await metered.refused(router)
        assert metered.table.models["router"] == Sum(1, 600, 0, 0)

    scenario()


@virtual_time
async def test_what_cost_nothing_is_not_counted() -> None:
    metered = Metered(end=CallError(Reason.TARGET_UNAVAILABLE, "gone"))
    metered.uses = None  # type: ignore[assignment]  # the model told nothing
    assert (await metered.refused(model())).reason is Reason.TARGET_UNAVAILABLE
    assert metered.table.models == {}


@virtual_time
async def test_other_calls_pass_as_they_are() -> None:
    metered, calculator = Metered(), target()
    made = permitted(call(request=tool_request()), calculator)
    assert await metered.service(made, Received().send) == Finish()
    assert metered.table.models == {}
