"""A tool that uses what LangGraph gives to tools: the agent's state, its store, its stream, and a command to its graph."""

import os
import time
from typing import Annotated

from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.config import get_stream_writer
from langgraph.prebuilt import InjectedState, InjectedStore
from langgraph.store.base import BaseStore
from langgraph.types import Command


@tool
def notebook(
    note: str,
    messages: Annotated[list, InjectedState("messages")],
    store: Annotated[BaseStore, InjectedStore()],
    call: Annotated[str, InjectedToolCallId],
) -> Command:
    """Notes something down."""
    get_stream_writer()({"noting": note, "pid": os.getpid()})
    while note == "for ever":
        time.sleep(0.1)
    before = store.get(("notes",), "last")
    store.put(("notes",), "last", {"note": note})
    asked = next(message.content for message in messages if message.type == "human")
    answer = f"noted {note} for {asked!r} after {before.value['note'] if before else 'nothing'}"
    return Command(update={"noted": [note], "messages": [ToolMessage(answer, tool_call_id=call)]})
