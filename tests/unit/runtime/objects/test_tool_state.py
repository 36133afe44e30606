"""Tools that want LangGraph's state or runtime: the agent sends it as an injected argument."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from firebreak.v1 import tool_pb2
from firebreak_runtime.errors import ServedError

from tests.unit.runtime import frameworks
from tests.unit.runtime.fake_gateway import collect


def run(served: Any, injected: Any, method: str = "Call") -> list[Any]:
    call = tool_pb2.ToolCall(tool_call_id="c-1", args_json=b'{"word": "so"}', injected_json=orjson.dumps(injected))
    if method == "Call":
        messages = collect(served, "Call", tool_pb2.ToolServiceCallRequest(call=call).SerializeToString())
        return [tool_pb2.ToolServiceCallResponse.FromString(message) for message in messages]
    messages = collect(served, "Stream", tool_pb2.ToolServiceStreamRequest(call=call).SerializeToString())
    return [tool_pb2.ToolServiceStreamResponse.FromString(message) for message in messages]


def properties(served: Any) -> set[str]:
    spec = tool_pb2.ToolServiceDescribeResponse.FromString(served.describe()).spec
    return set(orjson.loads(spec.input_schema_json)["properties"])


def test_injected_state_is_an_argument_that_no_model_sees(serve: Any) -> None:
    served = serve("reads_state", "tool", module="frameworks")

    assert properties(served) == {"word"}
    (answer,) = run(served, {"state": {"mood": "calm"}})
    assert answer.result.content[0].text == "so calm"


if not frameworks.OLD:
    GIVEN = {"runtime": {"state": {"mood": "calm"}, "context": "ann"}}

    def test_a_tool_runtime_is_made_from_state_and_context(serve: Any) -> None:
        served = serve("reads_runtime", "tool", module="frameworks")

        assert properties(served) == {"word"}
        (answer,) = run(served, GIVEN)
        assert answer.result.content[0].text == "so calm in c-1 for ann"

    @pytest.mark.parametrize("mode", ["sync", "async"])
    def test_what_is_written_to_the_runtime_is_progress(serve: Any, mode: str) -> None:
        progress, result = run(serve("reads_runtime", "tool", module="frameworks", mode=mode), GIVEN, "Stream")

        assert orjson.loads(progress.progress.data_json) == {"about": "so"}
        assert (progress.seq, result.seq) == (1, 2)

    def test_a_runtime_of_another_shape_is_refused(serve: Any) -> None:
        with pytest.raises(ServedError, match=r"injected\.runtime"):
            run(serve("reads_runtime", "tool", module="frameworks"), {"runtime": {"store": {}}})
