"""The methods that the gateway knows, and what each does to a target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a target is; the word that policies and service.yaml use."""

    AGENT = "agent"
    TOOL = "tool"
    MODEL = "model"
    RETRIEVER = "retriever"
    EMBEDDING = "embedding"
    SERVICE = "service"
    """Any other gRPC service: its methods are carried through as they are."""


class Action(StrEnum):
    """What a caller wants of a target; the word that policies use."""

    DESCRIBE = "describe"
    CALL = "call"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Method:
    """One gRPC method: `name` is the full one, e.g. "/firebreak.v1.ToolService/Call".

    `kind` is the kind of target that it goes to, None for what the gateway answers itself. The methods of Firebreak's own
    contract name their target in the request; one of a routed service has it here, as `target`. `label` stands for the name
    where only few names may be: a method that nobody has described could be called anything.
    """

    name: str
    kind: Kind | None
    action: Action
    streams_response: bool = False
    streams_request: bool = False
    target: str = ""
    label: str = ""


def _service(kind: Kind, service: str, unary: tuple[str, ...], streaming: tuple[str, ...]) -> list[Method]:
    prefix = f"/firebreak.v1.{service}/"
    return [
        Method(prefix + "Describe", kind, Action.DESCRIBE),
        *(Method(prefix + name, kind, Action.CALL) for name in unary),
        *(Method(prefix + name, kind, Action.CALL, streams_response=True) for name in streaming),
    ]


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        *_service(Kind.TOOL, "ToolService", ("Call",), ("Stream",)),
        *_service(Kind.AGENT, "AgentService", ("Invoke",), ("Run",)),
        *_service(Kind.MODEL, "ModelService", ("Generate",), ("Stream",)),
        *_service(Kind.RETRIEVER, "RetrieverService", ("Retrieve",), ()),
        *_service(Kind.EMBEDDING, "EmbeddingService", ("Embed",), ()),
    )
}
"""Every method that is forwarded to a target, by full name."""

CATALOG_LIST = Method("/firebreak.v1.CatalogService/List", None, Action.GATEWAY)
DECISION_EXPLAIN = Method("/firebreak.v1.DecisionService/Explain", None, Action.GATEWAY)
GATEWAY_METHODS: dict[str, Method] = {method.name: method for method in (CATALOG_LIST, DECISION_EXPLAIN)}
"""What the gateway answers itself, by full name."""

_NAME_LENGTH = 200


def unknown(name: str) -> Method:
    """The method for a `name` that is none of the above: what a caller made up, cut to 200 characters that one can see."""
    return Method("".join(each if "!" <= each <= "~" else "?" for each in name[:_NAME_LENGTH]), None, Action.GATEWAY)
