"""What policy is asked and what it may answer: the input document, and the strict reading of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.call import Call, View
from gateway.policy import Decision, DenyReason, Obligations, PolicyError
from gateway.routes import Action
from gateway.targets import Target

NO_OBLIGATIONS = Obligations()
_DECISION = {"allow", "reasons", "obligations"}
_OBLIGATIONS = {"timeout_ms", "response_bytes"}
_REASON = {"rule", "message", "field"}


def document(call: Call, target: Target, action: Action, view: View | None) -> dict[str, Any]:
    """The input document about `call` wanting `action` of `target`, shaped as policies/schemas/input.json says."""
    principal, session = call.principal, call.session
    assert principal is not None
    assert session is not None
    return {
        "call": {
            "id": call.id,
            "method": call.method.name,
            "action": action.value,
            "depth": session.depth,
            "parent": session.parent,
        },
        "principal": {
            "id": principal.id,
            "issuer": principal.issuer,
            "service": principal.service,
            "claims": dict(principal.claims),
        },
        "session": {"id": session.id, "chain": list(session.chain)},
        "target": {
            "name": target.name,
            "kind": target.kind.value,
            "effect": target.config.declared_effect.value,
        },
        "args": view.args if view else None,
        "prompt": view.prompt if view else None,
    }


def read(raw: Mapping[str, Any], decision_id: str, revision: str, engine: str) -> Decision:
    """The decision in an engine's `raw` answer. Raises PolicyError for anything that is not exactly one."""
    if not isinstance(raw, dict) or raw.keys() != _DECISION:
        raise PolicyError("the decision is not an object of allow, reasons and obligations")
    allow = raw["allow"]
    if not isinstance(allow, bool):
        raise PolicyError("allow is not a boolean")
    return Decision(
        id=decision_id,
        allow=allow,
        reasons=_reasons(raw["reasons"]),
        obligations=_obligations(raw["obligations"]),
        revision=revision,
        engine=engine,
    )


def _reasons(raw: object) -> tuple[DenyReason, ...]:
    if not isinstance(raw, list | tuple):
        raise PolicyError("reasons is not an array")
    return tuple(_reason(item) for item in raw)


def _reason(raw: object) -> DenyReason:
    if not isinstance(raw, dict) or not raw.keys() <= _REASON:
        raise PolicyError("a reason is not an object of rule, message and field")
    rule, message, field = raw.get("rule"), raw.get("message"), raw.get("field", "")
    if not (isinstance(rule, str) and isinstance(message, str) and isinstance(field, str)):
        raise PolicyError("rule, message and field of a reason are not all strings")
    return DenyReason(rule, message, field)


def _obligations(raw: object) -> Obligations:
    """An obligation that is not understood cannot be kept, so it denies."""
    if not isinstance(raw, dict) or not raw.keys() <= _OBLIGATIONS:
        raise PolicyError("obligations is not an object of timeout_ms and response_bytes")
    if not raw:
        return NO_OBLIGATIONS
    timeout = _positive(raw, "timeout_ms")
    return Obligations(
        timeout=None if timeout is None else timeout / 1000, response_bytes=_positive(raw, "response_bytes")
    )


def _positive(raw: Mapping[str, Any], key: str) -> int | None:
    if key not in raw:
        return None
    value = raw[key]
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise PolicyError(f"the obligation {key} is not an integer above zero")
    return value
