"""Retry repeats an attempt that failed, where that can do no harm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from gateway.call import Call
from gateway.config import Effect
from gateway.core.backoff import full_jitter
from gateway.core.retry_budget import BudgetSnapshot, RetryBudget
from gateway.errors import CallError, Code, Reason
from gateway.ports import Clock
from gateway.routes import Action, Kind
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target

Sleep = Callable[[float], Awaitable[None]]
"""Waits for seconds, as `asyncio.sleep`."""

_TRANSIENT = frozenset({Reason.TARGET_UNAVAILABLE, Reason.WORKER_DIED})
"""Failures that another worker or connection may not have. A target that is not ready or cut off stays so for longer."""

_PUSHBACK = "grpc-retry-pushback-ms"
"""The trailer with which a service tells its client whether and when to try again."""


class RetryBudgets:
    """The budget of each target; made when it is first asked for, gone with its target."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._budgets: WeakKeyDictionary[Target, RetryBudget] = WeakKeyDictionary()

    def get(self, target: Target) -> RetryBudget:
        budget = self._budgets.get(target)
        if budget is None:
            settings = target.config.retry
            budget = RetryBudget(settings.budget_ratio, settings.budget_per_second, self._clock())
            self._budgets[target] = budget
        return budget

    def snapshots(self) -> Mapping[str, BudgetSnapshot]:
        """Retries in hand, granted and refused, by name; the newest target's where several had it."""
        now = self._clock()
        return {target.name: budget.snapshot(now) for target, budget in self._budgets.items()}


@dataclass(slots=True)
class _Sender:
    """Passes messages on and remembers that there was one: from then on the caller has a part of the answer."""

    send: Send
    sent: bool = False

    async def __call__(self, message: bytes) -> None:
        self.sent = True
        await self.send(message)


def retry(clock: Clock, random: Callable[[], float], sleep: Sleep, budgets: RetryBudgets | None = None) -> Filter:
    """Repeats attempts that ended with TARGET_UNAVAILABLE or WORKER_DIED, of a routed service also with a plain UNAVAILABLE.

    Only what the target declares READ or IDEMPOTENT, only before the answer's first part, only from the target's budget,
    and only if the wait ends before the deadline. The caller gets the error of the last attempt that was made, without
    advice to retry: what is safe to repeat here, inside the budget, need not be for the caller.
    """
    purse = budgets or RetryBudgets(clock)

    def wrap(inner: Service) -> Service:
        async def retried(call: Call, send: Send) -> Finish:
            return _deliver(await attempts(call, _Sender(send)), call)

        async def attempts(call: Call, sender: _Sender) -> Finish | CallError:
            assert call.target is not None  # Validate comes first
            if not _safe(call, call.target):
                return await _attempt(inner, call, sender)
            settings, budget = call.target.config.retry, purse.get(call.target)
            budget.deposit(clock())
            ended = await _attempt(inner, call, sender)
            for number in range(settings.attempts - 1):
                if sender.sent or call.facts.headed or not _transient(ended, call):
                    break
                wait = full_jitter(number, settings.backoff, settings.backoff_max, random)
                now = clock()
                if wait >= call.deadline.remaining(now) or not budget.withdraw(now):
                    break
                await sleep(wait)
                again = await _attempt(inner, call, sender)
                if isinstance(again, CallError) and again.reason is Reason.CIRCUIT_OPEN:
                    break  # no attempt was made; "not tried at all" would be wrong to say of this call
                ended = again
            return ended

        return retried

    return wrap


async def _attempt(inner: Service, call: Call, sender: _Sender) -> Finish | CallError:
    try:
        return await inner(call, sender)
    except CallError as error:
        return error


def _deliver(ended: Finish | CallError, call: Call) -> Finish:
    if isinstance(ended, Finish):
        return ended
    if _transient(ended, call):
        ended.retry_after = None
    try:
        raise ended
    finally:
        del ended  # its traceback holds this frame: a cycle would keep the request until the collector comes


def _safe(call: Call, target: Target) -> bool:
    if call.method.action is Action.DESCRIBE:
        return True
    if call.method.streams_request:
        return False  # what the caller has sent is kept nowhere
    return target.config.declared_effect is not Effect.MUTATING


def _transient(ended: Finish | CallError, call: Call) -> bool:
    if isinstance(ended, Finish) and call.method.kind is Kind.SERVICE:
        # It knows none of Firebreak's reasons. One that says when to try again says so to the caller.
        return ended.code is Code.UNAVAILABLE and not any(key == _PUSHBACK for key, _ in ended.trailers)
    return ended.reason in _TRANSIENT and (isinstance(ended, CallError) or ended.code is Code.UNAVAILABLE)
