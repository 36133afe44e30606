"""What the gateway answers itself: the catalogue of what a caller may call, and why policy decided as it did."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import orjson
from firebreak.v1 import catalog_pb2, decision_pb2, payload_pb2
from google.protobuf.message import DecodeError, Message

from gateway.call import Call
from gateway.config import Effect
from gateway.errors import CallError, Reason
from gateway.judge import DecisionLog, Explained, Judge
from gateway.policy import Obligations
from gateway.routes import Action, Kind
from gateway.service import Finish, Send, Service
from gateway.targets import State, Target, Targets

_M = TypeVar("_M", bound=Message)

_KINDS = {
    Kind.AGENT: catalog_pb2.TARGET_KIND_AGENT,
    Kind.TOOL: catalog_pb2.TARGET_KIND_TOOL,
    Kind.MODEL: catalog_pb2.TARGET_KIND_MODEL,
    Kind.RETRIEVER: catalog_pb2.TARGET_KIND_RETRIEVER,
    Kind.EMBEDDING: catalog_pb2.TARGET_KIND_EMBEDDING,
    Kind.SERVICE: catalog_pb2.TARGET_KIND_SERVICE,
}
_EFFECTS = {
    Effect.READ: payload_pb2.EFFECT_READ,
    Effect.IDEMPOTENT: payload_pb2.EFFECT_IDEMPOTENT,
    Effect.MUTATING: payload_pb2.EFFECT_MUTATING,
}


def catalog(targets: Targets, judge: Judge) -> Service:
    """CatalogService/List: the targets that policy lets the caller describe, sorted by name."""

    async def serve(call: Call, send: Send) -> Finish:
        request = _parse(catalog_pb2.CatalogServiceListRequest, call.request)
        wanted = [target for target in targets.all() if request.kind in (0, _KINDS[target.kind])]
        allowed = await asyncio.gather(*(judge.allows(call, target, Action.DESCRIBE) for target in wanted))
        visible = [_entry(target) for target, allow in zip(wanted, allowed, strict=True) if allow]
        await send(catalog_pb2.CatalogServiceListResponse(targets=visible).SerializeToString())
        return Finish()

    return serve


def explain(decisions: DecisionLog) -> Service:
    """DecisionService/Explain: one recent decision, to those who were on the chain of its call.

    Raises CallError TARGET_UNKNOWN, the same for a decision that is not there and for another's.
    """

    async def serve(call: Call, send: Send) -> Finish:
        request = _parse(decision_pb2.DecisionServiceExplainRequest, call.request)
        found = decisions.get(request.decision_id)
        assert call.principal is not None
        if found is None or call.principal.id not in found.chain:
            raise CallError(
                Reason.TARGET_UNKNOWN,
                "There is no such decision of a call of yours. Decisions are kept for a short while only.",
                metadata={"field": "decision_id"},
            )
        response = decision_pb2.DecisionServiceExplainResponse(decision=_decision(found))
        await send(response.SerializeToString())
        return Finish()

    return serve


async def unknown_method(call: Call, send: Send) -> Finish:  # noqa: ARG001 - the shape of a service
    """Serves calls of methods that the gateway does not know. Raises CallError METHOD_UNKNOWN."""
    raise CallError(
        Reason.METHOD_UNKNOWN,
        "Firebreak does not know this method. Ask the server for its methods by reflection, or update the client.",
    )


async def without_request(call: Call, send: Send) -> Finish:  # noqa: ARG001 - the shape of a service
    """Serves calls whose request message did not come. Raises CallError REQUEST_MALFORMED."""
    raise CallError(Reason.REQUEST_MALFORMED, "The call came without its request message.")


def _parse(kind: type[_M], request: bytes) -> _M:
    try:
        return kind.FromString(request)
    except DecodeError:
        raise CallError(
            Reason.REQUEST_MALFORMED, f"The request is no firebreak.v1.{kind.DESCRIPTOR.name}. Update the client."
        ) from None


def _entry(target: Target) -> Any:
    """The name and kind are configuration; the rest is what the service says, empty until it has said it."""
    entry = catalog_pb2.Target(name=target.name, kind=_KINDS[target.kind], ready=target.state is State.READY)
    if target.kind in (Kind.TOOL, Kind.SERVICE):
        entry.effect = _EFFECTS[target.config.declared_effect]
    if target.routed is not None:
        entry.methods.extend(target.routed.names)
    if (described := target.description) is not None:
        entry.description = described.description
        entry.version = described.version
        entry.framework.package = described.framework
        entry.framework.version = described.framework_version
        entry.framework.core_version = described.core_version
        entry.framework.python = described.python
        if described.schema is not None:
            entry.input_schema_json = orjson.dumps(described.schema)
    return entry


def _decision(explained: Explained) -> Any:
    decision = explained.decision
    return decision_pb2.Decision(
        id=decision.id,
        allow=decision.allow,
        reasons=[
            decision_pb2.Reason(rule=reason.rule, message=reason.message, field=reason.field)
            for reason in decision.reasons
        ],
        obligations_json=orjson.dumps(_obligations(decision.obligations)),
        revision=decision.revision,
        input_json=orjson.dumps(explained.document),
        engine=decision.engine,
    )


def _obligations(obligations: Obligations) -> dict[str, int]:
    """As the policy wrote them: only those that it set."""
    given = {} if obligations.timeout is None else {"timeout_ms": round(obligations.timeout * 1000)}
    return given if obligations.response_bytes is None else {**given, "response_bytes": obligations.response_bytes}
