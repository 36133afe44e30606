"""A route: any other gRPC service behind the gateway."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gateway.config.bounds import Breaker, Effect, Limits, Retry
from gateway.config.recording import Recorded, Recording
from gateway.config.service import Uses
from gateway.config.values import Config, Name
from gateway.routes import Kind

_METHOD = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*/(?:[A-Za-z_]\w*|\*)", re.ASCII)
_OWN = ("firebreak.", "grpc.health.", "grpc.reflection.")


def _routable(method: str) -> str:
    if not _METHOD.fullmatch(method):
        raise ValueError('a method is written "package.Service/Method", or "package.Service/*" for all of a service')
    if method.startswith(_OWN):
        raise ValueError("the gateway serves this itself")
    return method


class RouteConfig(Config):
    """Any other gRPC service behind the gateway, reached by the full names of its `methods`.

    `descriptors` is a file with a serialized FileDescriptorSet: with it policy sees the arguments of calls with one request
    message, and calls that change nothing may be retried. `health` "grpc" asks grpc.health.v1; with "none" the service counts
    as ready. What its calls do to the world is `effect`, for all methods of the entry.
    """

    name: Name
    address: str
    methods: tuple[Annotated[str, AfterValidator(_routable)], ...] = Field(strict=False, min_length=1)
    descriptors: str | None = None
    health: Literal["none", "grpc"] = "none"
    effect: Annotated[Effect, BeforeValidator(lambda v: Effect(v) if isinstance(v, str) else v)] = Effect.MUTATING
    limits: Limits = Limits()
    breaker: Breaker = Breaker()
    retry: Retry = Retry()
    journal: Recorded = Recorded(requests=Recording.HASHED, answers=Recording.HASHED)

    @model_validator(mode="after")
    def _nothing_to_mask_by(self) -> Self:
        if Recording.MASKED in (self.journal.requests, self.journal.answers):
            raise ValueError(
                "messages of a routed service are bytes that nothing can be masked in: full, hashed or none"
            )
        return self

    @property
    def kind(self) -> Kind:
        return Kind.SERVICE

    @property
    def version(self) -> str:
        """Unknown: the service does not describe itself."""
        return ""

    @property
    def uses(self) -> Uses:
        """Nothing: a routed service gets no session to make calls with."""
        return Uses()

    @property
    def declared_effect(self) -> Effect:
        return self.effect
