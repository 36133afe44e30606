"""Ways to run an agent, chosen by what it is. Frameworks are told by the names of their classes, so none is imported here."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import Runnable

from firebreak_runtime.objects.job import Driver


def driver_for(agent: Runnable[Any, Any]) -> Driver:
    """The driver that fits the agent."""
    names = {kind.__name__ for kind in type(agent).__mro__}
    if "Pregel" in names:
        from firebreak_runtime.objects.graph import GraphDriver

        return GraphDriver(agent)
    if "AgentExecutor" in names:
        from firebreak_runtime.objects.executor import ExecutorDriver

        return ExecutorDriver(agent)
    from firebreak_runtime.objects.runnable import RunnableDriver

    return RunnableDriver(agent)
