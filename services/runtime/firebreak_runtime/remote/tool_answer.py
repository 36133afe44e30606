"""A remote tool's result, as LangChain takes it from a tool that runs here."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from firebreak.v1 import tool_pb2

from firebreak_runtime.artifacts import ArtifactError, from_artifact
from firebreak_runtime.commands import from_graph_output
from firebreak_runtime.convert import ConvertError, from_content
from firebreak_runtime.remote.tool_failure import UNUSABLE, RemoteToolError
from firebreak_runtime.state_json import StateError, load_state

_TAKES_LISTS = int(version("langchain-core").split(".")[0]) >= 1


def output_of(result: tool_pb2.ToolResult) -> tuple[Any, Any]:
    """Content and artifact, or what goes to the graph. Raises RemoteToolError for a tool that failed."""
    try:
        if result.graph_outputs:
            return _graph_output(result), None
        content = load_state(result.value_json, "value") if result.value_json else from_content(result.content)
        artifact = from_artifact(result.artifact) if result.HasField("artifact") else None
    except (ConvertError, ArtifactError, StateError):
        raise RemoteToolError("CONTRACT_VIOLATED", UNUSABLE) from None
    if result.status == tool_pb2.TOOL_STATUS_TOOL_ERROR:
        blocks = content if isinstance(content, list) else None
        raise RemoteToolError("TOOL_ERROR", result.error_message or "the tool failed", blocks)
    if result.status == tool_pb2.TOOL_STATUS_INVALID_ARGS:
        raise RemoteToolError("INVALID_ARGS", f"the arguments are not valid: {result.error_message}")
    if result.status != tool_pb2.TOOL_STATUS_OK:
        raise RemoteToolError("CONTRACT_VIOLATED", UNUSABLE)
    return content, artifact


def _graph_output(result: tool_pb2.ToolResult) -> Any:
    """A Command or a message of the tool's own, or a list of these."""
    try:
        outputs = [from_graph_output(output) for output in result.graph_outputs]
    except ImportError:
        raise RemoteToolError("CONTRACT_VIOLATED", "the tool answers to a LangGraph agent only.") from None
    if not result.graph_list:
        return outputs[0]
    if not _TAKES_LISTS:
        raise RemoteToolError("CONTRACT_VIOLATED", "the tool answers with a list, which LangChain takes from 1.0 on.")
    return outputs
