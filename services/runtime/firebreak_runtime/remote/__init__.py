"""Tools and models of other services, as LangChain objects that call through the gateway."""

from __future__ import annotations

from firebreak_runtime.remote.connect import achat_model, atool, chat_model, tool
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.remote_model import RemoteChatModel
from firebreak_runtime.remote.remote_tool import RemoteTool, RemoteToolError

__all__ = [
    "RemoteChatModel",
    "RemoteError",
    "RemoteTool",
    "RemoteToolError",
    "achat_model",
    "atool",
    "chat_model",
    "tool",
]
