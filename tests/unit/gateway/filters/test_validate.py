"""What is wrong in itself reaches neither policy nor target, and the error names the field."""

from __future__ import annotations

import pytest

from gateway.config import Admission
from gateway.core.deadline import NEVER, Deadline
from gateway.errors import CallError, Reason
from gateway.filters.validate import validate
from gateway.service import Filter
from tests.unit.gateway.chain_fakes import (
    AGENT_INVOKE,
    START,
    Behind,
    FakeTargets,
    Received,
    agent_request,
    call,
    clock,
    hangs,
    run,
    target,
    targets,
    tool_request,
)

ADMISSION = Admission.model_validate({"request_bytes": "64KiB"})


def stage(known: FakeTargets | None = None) -> Filter:
    return validate(ADMISSION, known or targets(), lambda: START)


async def refused(request: bytes, reason: Reason, field: str, known: FakeTargets | None = None) -> CallError:
    behind = Behind()
    with pytest.raises(CallError) as caught:
        await stage(known)(behind)(call(request=request), Received().send)
    error = caught.value
    assert error.reason is reason
    assert field in [error.metadata.get("field"), *(violation.field for violation in error.fields)]
    assert behind.calls == []
    return error


async def test_a_good_request_goes_on_with_view_and_target() -> None:
    behind, tool = Behind(), target()
    made = call()
    await stage(targets(tool))(behind)(made, Received().send)
    passed = behind.calls[0]
    assert passed.target is tool
    assert passed.view is not None
    assert passed.view.args == {"expression": "1234 * 5678"}
    assert passed.request is made.request
    assert made.facts.target == "calculator"
    assert made.facts.resolved is tool
    assert made.facts.described is tool.description
    assert "validate" in made.facts.stages


async def test_requests_too_large_for_the_gateway_are_not_even_parsed() -> None:
    error = await refused(b"\xff" * (64 * 1024 + 1), Reason.REQUEST_TOO_LARGE, "request")
    assert "65537 bytes, more than the 65536" in error.message


async def test_requests_too_large_for_the_target() -> None:
    small = targets(target(limits={"request_bytes": "64B"}))
    request = tool_request(args=b'{"expression": "%s"}' % (b"1" * 64))
    error = await refused(request, Reason.REQUEST_TOO_LARGE, "request", small)
    assert '"calculator"' in error.message


async def test_malformed_requests() -> None:
    await refused(b"\xff\xff", Reason.REQUEST_MALFORMED, "request")
    await refused(tool_request(target=""), Reason.REQUEST_MALFORMED, "call.target")
    await refused(tool_request(args=b"[" * 101 + b"]" * 101), Reason.ARGUMENTS_INVALID, "args")
    await refused(tool_request(args=b'{"a": 18446744073709551616}'), Reason.ARGUMENTS_INVALID, "args")


@pytest.mark.parametrize(
    "name", ["Calculator", "a" * 64, "cal\nculator", "../python", "calculator\u202e", "ünïcode", "-a"]
)
async def test_names_that_no_service_can_have(name: str) -> None:
    error = await refused(tool_request(target=name), Reason.REQUEST_MALFORMED, "call.target")
    assert name not in error.message


async def test_unknown_targets_and_targets_of_another_kind_look_the_same() -> None:
    unknown = await refused(tool_request(target="assistant"), Reason.TARGET_UNKNOWN, "call.target")
    agent = targets(target("assistant", "agent"))
    other_kind = await refused(tool_request(target="assistant"), Reason.TARGET_UNKNOWN, "call.target", agent)
    assert unknown.message == other_kind.message
    assert unknown.metadata == other_kind.metadata


async def test_an_unknown_name_never_gets_on_record() -> None:
    made = call(request=tool_request(target="nobody"))
    with pytest.raises(CallError):
        await stage()(Behind())(made, Received().send)
    assert made.facts.target == ""


@pytest.mark.parametrize(
    ("open_ended", "asked", "expected"),
    [
        (True, Deadline(START + 600), START + 30),
        (True, Deadline(START + 5), START + 5),
        (False, Deadline(START + 60), START + 60),
        (False, Deadline(START + 600), START + 120),
        (True, NEVER, START + 30),
    ],
)
async def test_the_targets_own_deadlines_apply(open_ended: bool, asked: Deadline, expected: float) -> None:
    behind, made = Behind(), call(deadline=asked)
    made.facts.open_ended = open_ended
    await stage()(behind)(made, Received().send)
    assert behind.calls[0].deadline.at == expected


@pytest.mark.parametrize(("longest", "expected"), [("40s", START + 40), ("600s", START + 500)])
async def test_max_deadline_bounds_what_a_caller_asks_for(longest: str, expected: float) -> None:
    behind, made = Behind(), call(deadline=Deadline(START + 500))
    made.facts.open_ended = False
    known = targets(target(limits={"deadline": "5s", "max_deadline": longest}))
    await validate(ADMISSION, known, clock)(behind)(made, Received().send)
    assert behind.calls[0].deadline.at == expected


def test_the_targets_deadline_is_enforced() -> None:
    async def main() -> None:
        made = call(AGENT_INVOKE, agent_request())
        made.facts.open_ended = True
        agent = targets(target("assistant", "agent", limits={"deadline": "2s"}))
        with pytest.raises(CallError) as caught:
            await validate(ADMISSION, agent, clock)(hangs)(made, Received().send)
        assert caught.value.reason is Reason.DEADLINE_EXCEEDED
        assert caught.value.metadata == {"target": "assistant"}
        assert clock() == pytest.approx(START + 2, abs=0.01)

    run(main)
