"""A callback handler that keeps what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler


@dataclass
class Told:
    """One thing that a handler was told."""

    event: str
    run: UUID
    parent: UUID | None
    given: Any
    tags: list[str]
    metadata: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)


class Recorder(BaseCallbackHandler):
    """Keeps every start, token, end and error, in order."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def of(self, *kinds: str) -> list[Told]:
        """What was told of these: "llm", "tool", "retriever", "chain", "custom"."""
        return [told for told in self.told if told.event.split("_")[1].replace("chat", "llm") in kinds]

    def events(self, *kinds: str) -> list[str]:
        return [told.event for told in self.of(*kinds)]

    def _keep(self, event: str, given: Any, kwargs: dict[str, Any]) -> None:
        run, parent = kwargs.pop("run_id"), kwargs.pop("parent_run_id", None)
        tags, metadata = kwargs.pop("tags", None) or [], kwargs.pop("metadata", None) or {}
        self.told.append(Told(event, run, parent, given, tags, metadata, kwargs))

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self._keep("on_chain_start", inputs, kwargs)

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self._keep("on_chain_end", outputs, kwargs)

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self._keep("on_chain_error", error, kwargs)

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self._keep("on_chat_model_start", messages, kwargs)

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self._keep("on_llm_new_token", token, kwargs)

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self._keep("on_llm_end", response, kwargs)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self._keep("on_llm_error", error, kwargs)

    def on_tool_start(self, serialized: Any, input_str: str, **kwargs: Any) -> None:
        self._keep("on_tool_start", kwargs.get("inputs"), kwargs)

    def on_tool_end(self, output: Any, **kwargs: Any) -> None:
        self._keep("on_tool_end", output, kwargs)

    def on_tool_error(self, error: BaseException, **kwargs: Any) -> None:
        self._keep("on_tool_error", error, kwargs)

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self._keep("on_custom_event", (name, data), kwargs)

    def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
        self._keep("on_retriever_start", query, kwargs)

    def on_retriever_end(self, documents: Any, **kwargs: Any) -> None:
        self._keep("on_retriever_end", documents, kwargs)

    def on_retriever_error(self, error: BaseException, **kwargs: Any) -> None:
        self._keep("on_retriever_error", error, kwargs)
