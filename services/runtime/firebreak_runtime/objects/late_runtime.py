"""LangGraph's runtime for a tool that runs outside of any graph, so that get_stream_writer() and its like work in it."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig

from firebreak_runtime.objects.progress import Writer

_KEY = "__pregel_runtime"
"""Where LangGraph looks for its runtime in a run's configuration, in 0.6 and in 1.x."""


class LateRuntime:
    """LangGraph's Runtime, made when somebody looks at it: importing it takes longer than most tools run."""

    def __init__(self, context: Any, store: Any, writer: Writer) -> None:
        self._late = {"context": context, "store": store, "stream_writer": writer}

    def __getattr__(self, name: str) -> Any:
        from langgraph.runtime import Runtime

        return getattr(Runtime(**self._late), name)


def with_runtime(config: RunnableConfig, context: Any, store: Any, writer: Writer) -> None:
    """Puts the runtime into the configuration."""
    config.setdefault("configurable", {})[_KEY] = LateRuntime(context, store, writer)
