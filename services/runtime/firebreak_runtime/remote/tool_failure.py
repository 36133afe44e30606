"""How a remote tool's failure reaches a model, and whoever rather has it raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.tools import ToolException

from firebreak_runtime.remote.failures import RemoteError, for_model
from firebreak_runtime.remote.store_copy import WriteError
from firebreak_runtime.state_json import StateError

UNUSABLE = "the tool gave no usable answer."


class RemoteToolError(ToolException):
    """The tool failed or could not be called; the text is for the model. `reason` is TOOL_ERROR, INVALID_ARGS or a reason of
    errors.proto. `blocks` are content blocks, where the tool chose to say it in these."""

    def __init__(self, reason: str, text: str, blocks: list[Any] | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.blocks = blocks


class FailureText(str):
    """What a model reads of a failed tool. A plain text to everyone else; agents that lose a message's status (AgentExecutor)
    still hand this on."""

    tool_failed = True


class FailureBlocks(list[Any]):
    """As FailureText, for content blocks."""

    tool_failed = True


def show(error: ToolException) -> Any:
    """LangChain's handle_tool_error: the same on 0.3 and 1.x, where an unhandled error would end the agent's turn."""
    blocks = getattr(error, "blocks", None)
    return FailureBlocks(blocks) if blocks else FailureText(error)


@contextmanager
def told_to_the_model() -> Iterator[None]:
    """Why a call failed becomes a text that a model can act on."""
    try:
        yield
    except RemoteError as error:
        raise RemoteToolError(error.reason, for_model(error.failure)) from None
    except StateError as error:
        raise RemoteToolError("ARGUMENTS_INVALID", str(error)) from None
    except WriteError:
        raise RemoteToolError("CONTRACT_VIOLATED", UNUSABLE) from None
