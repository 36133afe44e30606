"""What other services do, as LangChain objects that call through the gateway."""

from __future__ import annotations

from firebreak_runtime.remote.connect import achat_model, atool, chat_model, tool
from firebreak_runtime.remote.failures import RemoteError
from firebreak_runtime.remote.gateway import Gateway
from firebreak_runtime.remote.remote_agent import RemoteAgent
from firebreak_runtime.remote.remote_embeddings import RemoteEmbeddings
from firebreak_runtime.remote.remote_model import RemoteChatModel
from firebreak_runtime.remote.remote_retriever import RemoteRetriever
from firebreak_runtime.remote.remote_tool import RemoteTool
from firebreak_runtime.remote.services import RemoteServices, connect_gateway
from firebreak_runtime.remote.tool_failure import RemoteToolError

__all__ = [
    "Gateway",
    "RemoteAgent",
    "RemoteChatModel",
    "RemoteEmbeddings",
    "RemoteError",
    "RemoteRetriever",
    "RemoteServices",
    "RemoteTool",
    "RemoteToolError",
    "achat_model",
    "atool",
    "chat_model",
    "connect_gateway",
    "tool",
]
