"""What runs around a remote tool in its agent's process: LangChain's configuration and LangGraph's runtime in it."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables.config import var_child_runnable_config

_RUNTIME = "__pregel_runtime"
"""Where LangGraph keeps its runtime, in 0.6 and in 1.x."""

_SECRET = "api_key"


def graph_runtime() -> Any:
    """LangGraph's Runtime (context, store, stream_writer) of the graph that runs here; None outside of one."""
    return _configurable().get(_RUNTIME)


def settings() -> dict[str, Any]:
    """The plain configurable values, as LangChain's tracers see them: no key, nothing of LangGraph's own."""
    return {
        name: value
        for name, value in _configurable().items()
        if isinstance(value, (str, int, float, bool)) and not name.startswith("__") and _SECRET not in name
    }


def hears_custom_events() -> bool:
    """Whether a handler around this run takes LangChain's custom events."""
    manager = (var_child_runnable_config.get() or {}).get("callbacks")
    handlers = manager.handlers if isinstance(manager, BaseCallbackManager) else manager or []
    silent = (BaseCallbackHandler.on_custom_event, AsyncCallbackHandler.on_custom_event)
    return any(type(handler).on_custom_event not in silent for handler in handlers)


def _configurable() -> dict[str, Any]:
    found: dict[str, Any] = (var_child_runnable_config.get() or {}).get("configurable") or {}
    return found
