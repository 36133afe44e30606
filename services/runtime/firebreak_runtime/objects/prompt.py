"""What a caller asks of a chat model, as LangChain takes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from firebreak.v1 import model_pb2, payload_pb2
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable

from firebreak_runtime.convert import ConvertError, from_message
from firebreak_runtime.objects.shared import invalid, json_object
from firebreak_runtime.objects.token_limits import TokenLimits

PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "seed",
        "strict",
        "temperature",
        "thinking",
        "top_k",
        "top_logprobs",
        "top_p",
        "verbosity",
    }
)
"""Parameters that a caller may set. Anything else could reach a provider's client and change its address or its key."""

_OF_BIND_TOOLS = ("strict", "parallel_tool_calls")
_CHOICES = ("auto", "any", "none")


def read_messages(messages: Iterable[payload_pb2.Message], field: str) -> list[BaseMessage]:
    """LangChain's messages. Raises ServedError ARGUMENTS_INVALID that names the message."""
    found = [_read_message(wire, f"{field}[{index}]") for index, wire in enumerate(messages)]
    if not found:
        raise invalid(field, "there is no message")
    return found


def _read_message(wire: payload_pb2.Message, field: str) -> BaseMessage:
    try:
        return from_message(wire)
    except ConvertError as error:
        raise invalid(field, str(error)) from None


def bind(
    model: BaseChatModel, prompt: model_pb2.Prompt, calls_tools: bool, limits: TokenLimits | None = None
) -> Runnable[Any, Any]:
    """The model with the prompt's tools, choice, stop and parameters, those within `limits`.

    Raises ServedError ARGUMENTS_INVALID.
    """
    kwargs = json_object(prompt.parameters_json, "prompt.parameters")
    for name in kwargs:
        if name not in PARAMETERS:
            raise invalid(f"prompt.parameters.{name}", "a caller cannot set this parameter")
    kwargs = limits.capped(kwargs) if limits else kwargs
    bound: Runnable[Any, Any] = model
    if prompt.tools:
        if not calls_tools:
            raise invalid("prompt.tools", "this model cannot ask for tools")
        options = {name: kwargs.pop(name) for name in _OF_BIND_TOOLS if name in kwargs}
        bound = model.bind_tools(_offers(prompt), **_choice(prompt), **options)
    elif prompt.tool_choice not in ("", "auto", "none"):
        raise invalid("prompt.tool_choice", "there are no tools to choose from")
    if prompt.stop:
        kwargs["stop"] = list(prompt.stop)
    return bound.bind(**kwargs) if kwargs else bound


def _offers(prompt: model_pb2.Prompt) -> list[dict[str, Any]]:
    """The offered tools in the form that every LangChain chat model's bind_tools takes."""
    return [
        {
            "type": "function",
            "function": {
                "name": offer.name,
                "description": offer.description,
                "parameters": json_object(offer.input_schema_json, f"prompt.tools[{index}].input_schema")
                or {"type": "object", "properties": {}},
            },
        }
        for index, offer in enumerate(prompt.tools)
    ]


def _choice(prompt: model_pb2.Prompt) -> dict[str, str]:
    choice = prompt.tool_choice
    if choice and choice not in _CHOICES and choice not in {offer.name for offer in prompt.tools}:
        raise invalid("prompt.tool_choice", "it names a tool that is not offered")
    return {"tool_choice": choice} if choice else {}
