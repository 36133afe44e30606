"""What runtime and gateway each hold of the contract is the same: they share no code."""

from __future__ import annotations

from typing import Any

import pytest
from firebreak.v1 import errors_pb2
from firebreak_runtime import errors
from firebreak_runtime.json_values import dumps
from firebreak_runtime.methods import KINDS
from firebreak_runtime.state_json import MAX_DEPTH, TAG, to_json

from gateway import errors as gateway_errors
from gateway.arguments import parse_object
from gateway.routes import METHODS, Action


def test_reasons_and_codes_are_the_contracts() -> None:
    declared = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert set(errors.CODES) == declared - {"UNSPECIFIED"}
    assert {reason.value: int(code) for reason, code in gateway_errors.CODES.items()} == dict(errors.CODES)
    assert errors.DOMAIN == gateway_errors.DOMAIN


def test_the_host_serves_exactly_what_the_gateway_forwards() -> None:
    served = {f"/{kind.name}/{method.name}" for kind in KINDS.values() for method in (kind.describe, *kind.methods)}
    assert served == set(METHODS)
    streams = {f"/{kind.name}/{method.name}" for kind in KINDS.values() for method in kind.methods if method.streams}
    assert streams == {name for name, method in METHODS.items() if method.streams_response}
    described = {name for name, method in METHODS.items() if method.action is Action.DESCRIBE}
    assert described == {f"/{kind.name}/Describe" for kind in KINDS.values()}


@pytest.mark.parametrize("layer", [lambda inner: [inner], lambda inner: {TAG: inner}, lambda inner: ({"a": inner},)])
def test_the_deepest_state_that_an_agent_injects_passes_the_gateway(layer: Any) -> None:
    deepest: Any = None
    for _ in range(MAX_DEPTH):
        try:
            to_json(layer(deepest), "state")
        except ValueError:
            break
        deepest = layer(deepest)
    item = {"value": to_json(deepest, "state")}

    assert parse_object(dumps({"runtime": {"store": {"items": [item]}}}), "call.injected_json")
