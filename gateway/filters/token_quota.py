"""TokenQuota counts what calls use of models' tokens, and refuses those on whose account too much was used."""

from __future__ import annotations

from gateway import usage
from gateway.call import Call
from gateway.core.token_bucket import TokenBuckets
from gateway.core.usage import UsageTable
from gateway.errors import CallError, Reason
from gateway.ports import Clock
from gateway.service import Filter, Finish, Send, Service
from gateway.targets import Target

_SECONDS = 60


class TokenQuotas:
    """What each principal may still use of each model: by names, so that debts outlive a target that is configured anew."""

    def __init__(self) -> None:
        self._targets: dict[str, TokenBuckets] = {}

    def wait(self, target: Target, principal: str, now: float) -> float:
        """Seconds until `principal` may use tokens of `target`; 0.0 where it may now, or where there is no limit."""
        limit = target.config.limits.tokens.per_minute
        if limit is None:
            return 0.0
        buckets = self._targets.setdefault(target.name, TokenBuckets(limit / _SECONDS, limit))
        buckets.change(limit / _SECONDS, limit, now)
        return buckets.get(principal, now).wait(now)

    def charge(self, target: Target, principal: str, tokens: int, now: float) -> None:
        """`principal` used `tokens`. The limit stays as it is: by now another target of the same name may have set it."""
        buckets = self._targets.get(target.name)
        if buckets is not None:
            buckets.get(principal, now).charge(tokens, now)


def token_quota(table: UsageTable, quotas: TokenQuotas, clock: Clock) -> Filter:
    """A stage that puts the tokens of each call of a model on record and into `table`.

    Where the target has `limits.tokens.per_minute` it charges them to the one for whom the call is made, the first of the
    chain, whoever makes it. An answer's tokens are known when it is there: so a call may overdraw, and those after it are
    refused (RATE_LIMITED) until time has paid for it.
    """

    def wrap(service: Service) -> Service:
        async def metered(call: Call, send: Send) -> Finish:
            assert call.session is not None  # Authenticate comes first
            assert call.target is not None  # Validate comes first
            principal = call.session.chain[0]
            _check(call.target, quotas.wait(call.target, principal, clock()))
            ended: Finish | BaseException | None = None
            try:
                ended = await service(call, send)
                return ended
            except BaseException as error:
                ended = error
                raise
            finally:
                assert ended is not None
                used = call.facts.used = usage.settle(call, ended)
                ended = None  # an error's traceback holds this frame: a cycle would keep the request alive
                if used is not None:
                    table.add(principal, call.target.name, used)
                    quotas.charge(call.target, principal, used.total, clock())

        async def serve(call: Call, send: Send) -> Finish:
            return await (metered if usage.is_metered(call.method) else service)(call, send)

        return serve

    return wrap


def _check(target: Target, wait: float) -> None:
    if wait:
        raise CallError(
            Reason.RATE_LIMITED,
            f'The {target.config.limits.tokens.per_minute} tokens a minute that "{target.name}" allows each principal are '
            f"used up. Try again in {wait:.3g} s.",
            metadata={"target": target.name},
            retry_after=wait,
            quota=f"tokens:{target.name}",
        )
