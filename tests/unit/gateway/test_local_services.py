"""The catalogue and the explanation of decisions: each shows a caller its own part only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest
from firebreak.v1 import catalog_pb2, decision_pb2, payload_pb2

from gateway.call import Call, Principal, Session
from gateway.errors import CallError, Reason
from gateway.judge import Judge
from gateway.local_services import catalog, explain
from gateway.policy import PolicyError
from gateway.routes import Action, Kind
from gateway.service import Finish, Service
from gateway.targets import Description, State, Target
from tests.calls import make_call, make_target
from tests.unit.gateway.routed_fakes import orders


class Engine:
    """Allows what `allowed` names."""

    name = "fake"
    revision = "f" * 64

    def __init__(self, *allowed: str, obligations: Mapping[str, Any] | None = None) -> None:
        self._allowed = allowed
        self._obligations = obligations or {}
        self.asked: list[Mapping[str, Any]] = []

    async def decide(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(document)
        allow = document["target"]["name"] in self._allowed
        reasons = [{"rule": "grants[0]" if allow else "default", "message": "because", "field": "args.a"}]
        return {"allow": allow, "reasons": reasons, "obligations": self._obligations if allow else {}}


class Broken(Engine):
    async def decide(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        raise PolicyError("down")


class Targets:
    def __init__(self, *targets: Target) -> None:
        self._targets = targets

    def get(self, name: str) -> Target | None:
        return next((target for target in self._targets if target.name == name), None)

    def all(self) -> tuple[Target, ...]:
        return self._targets

    def method(self, name: str) -> None:
        return None


CALCULATOR = make_target("calculator")
CALCULATOR.state = State.READY
CALCULATOR.description = Description(
    response=b"",
    name="calc",
    description="Calculates.",
    version="1.2.3",
    framework="langchain",
    framework_version="1.4.7",
    core_version="1.7.2",
    python="3.11.7",
    schema={"type": "object"},
    schema_sha256="0" * 64,
)
ROUTER = make_target("router", kind=Kind.MODEL, effect=None)
TARGETS = Targets(CALCULATOR, ROUTER)


def judge(engine: Engine) -> Judge:
    ids = iter(range(100))
    return Judge(engine, 1.0, lambda: f"{next(ids):032x}")


def asking(request: bytes, principal: str = "user:ada") -> Call:
    return replace(
        make_call(), request=request, principal=Principal(principal, "test"), session=Session("1" * 32, (principal,))
    )


async def answer(service: Service, call: Call) -> bytes:
    sent: list[bytes] = []

    async def send(message: bytes) -> None:
        sent.append(message)

    assert await service(call, send) == Finish()
    assert len(sent) == 1
    return sent[0]


async def listed(engine: Engine, request: catalog_pb2.CatalogServiceListRequest | None = None) -> list[Any]:
    request = request or catalog_pb2.CatalogServiceListRequest()
    message = await answer(catalog(TARGETS, judge(engine)), asking(request.SerializeToString()))
    return list(catalog_pb2.CatalogServiceListResponse.FromString(message).targets)


async def test_the_catalogue_lists_what_policy_lets_the_caller_describe() -> None:
    engine = Engine("calculator")
    assert [target.name for target in await listed(engine)] == ["calculator"]
    assert {document["call"]["action"] for document in engine.asked} == {Action.DESCRIBE}
    assert await listed(Engine()) == []


async def test_an_entry_holds_what_a_client_needs() -> None:
    calculator, router = await listed(Engine("calculator", "router"))
    assert (calculator.kind, calculator.effect) == (catalog_pb2.TARGET_KIND_TOOL, payload_pb2.EFFECT_READ)
    assert (calculator.description, calculator.version, calculator.ready) == ("Calculates.", "1.2.3", True)
    assert orjson.loads(calculator.input_schema_json) == {"type": "object"}
    assert calculator.framework.version == "1.4.7"
    assert (router.kind, router.effect, router.ready) == (catalog_pb2.TARGET_KIND_MODEL, 0, False)
    assert router.description == ""


async def test_a_routed_service_is_listed_with_its_methods() -> None:
    routed = orders(effect="READ", methods=["acme.Orders/Get", "acme.Orders/Watch"])
    request = catalog_pb2.CatalogServiceListRequest(kind=catalog_pb2.TARGET_KIND_SERVICE).SerializeToString()
    message = await answer(catalog(Targets(CALCULATOR, routed), judge(Engine("orders", "calculator"))), asking(request))
    (entry,) = catalog_pb2.CatalogServiceListResponse.FromString(message).targets
    assert (entry.name, entry.kind, entry.ready) == ("orders", catalog_pb2.TARGET_KIND_SERVICE, True)
    assert list(entry.methods) == ["acme.Orders/Get", "acme.Orders/Watch"]
    assert (entry.effect, entry.version, entry.input_schema_json) == (payload_pb2.EFFECT_READ, "", b"")


async def test_the_catalogue_can_be_asked_for_one_kind() -> None:
    request = catalog_pb2.CatalogServiceListRequest(kind=catalog_pb2.TARGET_KIND_MODEL)
    assert [target.name for target in await listed(Engine("calculator", "router"), request)] == ["router"]


async def test_without_a_decision_there_is_no_catalogue() -> None:
    with pytest.raises(CallError) as caught:
        await listed(Broken())
    assert caught.value.reason is Reason.POLICY_UNAVAILABLE


async def decided(obligations: Mapping[str, Any] | None = None) -> tuple[Judge, str]:
    """A judge that made one decision about a call of user:ada's agent."""
    made = judge(Engine("calculator", obligations=obligations))
    call = replace(asking(b""), session=Session("1" * 32, ("user:ada", "service:assistant"), depth=1))
    return made, (await made.decide(call, CALCULATOR, Action.CALL)).id


def query(decision: str) -> bytes:
    return decision_pb2.DecisionServiceExplainRequest(decision_id=decision).SerializeToString()


@pytest.mark.parametrize("principal", ["user:ada", "service:assistant"])
async def test_who_was_on_the_chain_may_see_the_decision(principal: str) -> None:
    made, decision = await decided({"timeout_ms": 1500, "response_bytes": 10})
    message = await answer(explain(made.log), asking(query(decision), principal))
    found = decision_pb2.DecisionServiceExplainResponse.FromString(message).decision
    assert (found.id, found.allow, found.engine, found.revision) == (decision, True, "fake", "f" * 64)
    assert (found.reasons[0].rule, found.reasons[0].message, found.reasons[0].field) == (
        "grants[0]",
        "because",
        "args.a",
    )
    assert orjson.loads(found.obligations_json) == {"timeout_ms": 1500, "response_bytes": 10}
    assert orjson.loads(found.input_json)["target"]["name"] == "calculator"


async def test_anothers_decision_and_none_look_alike() -> None:
    made, decision = await decided()
    errors = []
    for asked, principal in ((decision, "user:eve"), ("f" * 32, "user:ada")):
        with pytest.raises(CallError) as caught:
            await answer(explain(made.log), asking(query(asked), principal))
        errors.append((caught.value.reason, caught.value.message, caught.value.metadata))
    assert errors[0] == errors[1]
    assert errors[0][0] is Reason.TARGET_UNKNOWN


async def test_bytes_that_are_no_request_are_malformed() -> None:
    made = judge(Engine())
    for service in (catalog(TARGETS, made), explain(made.log)):
        with pytest.raises(CallError) as caught:
            await answer(service, asking(b"\xff\xff"))
        assert caught.value.reason is Reason.REQUEST_MALFORMED
