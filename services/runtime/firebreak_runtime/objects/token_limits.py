"""Holds a chat model to limits.tokens of its service.yaml: how long a prompt may be, and how long an answer may grow."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from firebreak.v1 import model_pb2
from langchain_core.language_models import BaseChatModel, BaseLanguageModel
from langchain_core.messages import BaseMessage, HumanMessage

from firebreak_runtime.errors import LoadError, ServedError
from firebreak_runtime.json_values import dumps_marked
from firebreak_runtime.objects.shared import invalid, json_object
from firebreak_runtime.service_file import ServiceFile

_LONGEST = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""How chat models name the parameter that bounds an answer; the first is LangChain's own name for it."""

_COUNTERS = ("get_token_ids", "get_num_tokens", "get_num_tokens_from_messages")


class TokenLimits:
    """The bounds of one model; what the service does not bound passes as it is."""

    def __init__(self, service: ServiceFile, model: BaseChatModel) -> None:
        """Raises LoadError where the model gives no means to keep a bound: one that is configured is in force."""
        self._service, self._model = service, model
        self._declared = _longest(model)
        self._parameter = self._declared or _LONGEST[0]
        if service.prompt_tokens is not None and not _has_tokenizer(model):
            raise LoadError(
                f"limits.tokens.prompt is set, but {type(model).__name__} has no tokenizer of its own to count by: "
                "write its get_token_ids, or take the limit out of service.yaml"
            )
        if service.answer_tokens is not None and not self._declared and not _takes_anything(model):
            raise LoadError(
                f"limits.tokens.answer is set, but {type(model).__name__} takes no {self._parameter} to bound its answers by: "
                "let its _generate take it, or take the limit out of service.yaml"
            )

    def check(self, messages: Sequence[BaseMessage], prompt: model_pb2.Prompt) -> None:
        """Counts the messages, and with them the offered tools and the form that the answer shall have.

        Raises ServedError REQUEST_TOO_LARGE that names count and limit.
        """
        limit = self._service.prompt_tokens
        if limit is None:
            return
        beside = [HumanMessage(text) for text in _beside(prompt)]
        count = self._count(messages) + (self._count(beside) if beside else 0)
        if count > limit:
            counted = "with the offered tools it has" if prompt.tools else "it has"
            wrong = f'{counted} {count} tokens, and "{self._service.name}" takes at most {limit}'
            raise ServedError("REQUEST_TOO_LARGE", f"prompt: {wrong}. Send less.", fields=(("prompt", wrong),))

    def capped(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters with the longest answer that is allowed, or a shorter one that was asked for.

        Raises ServedError ARGUMENTS_INVALID for a bound that is none.
        """
        limit = self._service.answer_tokens
        if limit is None:
            return parameters
        asked = [_positive(name, parameters[name]) for name in _LONGEST if name in parameters]
        own = getattr(self._model, self._declared, None) if self._declared else None
        if not asked and isinstance(own, int) and own > 0:
            asked = [own]
        rest = {name: value for name, value in parameters.items() if name not in _LONGEST}
        return {**rest, self._parameter: min([limit, *asked])}

    def check_answer(self, answer: BaseMessage) -> None:
        """Raises ServedError RESPONSE_TOO_LARGE where a model went beyond its bound, by its own count.

        One that neither declares the parameter nor tells its count might do so unseen: CONTRACT_VIOLATED.
        """
        limit = self._service.answer_tokens
        if limit is None:
            return
        used = (getattr(answer, "usage_metadata", None) or {}).get("output_tokens")
        if used is None and not self._declared:
            raise ServedError(
                "CONTRACT_VIOLATED",
                f'nothing shows whether "{self._service.name}" keeps its answers to the {limit} tokens that are allowed: '
                f"its model reports no tokens and has no field {self._parameter}. Tell whoever runs that service.",
            )
        if used is not None and used > limit:
            raise ServedError(
                "RESPONSE_TOO_LARGE",
                f'the answer has {used} tokens, and "{self._service.name}" may give at most {limit}. '
                "Tell whoever runs that service: its model does not keep to what it is told.",
            )

    def _count(self, messages: Sequence[BaseMessage]) -> int:
        """In the model's own tokens. LangChain's own way would leave out what is no text: it counts, as JSON."""
        model = self._model
        if type(model).get_num_tokens_from_messages is not BaseLanguageModel.get_num_tokens_from_messages:
            return model.get_num_tokens_from_messages(list(messages))
        return sum(model.get_num_tokens(_whole(message)) for message in messages)


def _has_tokenizer(model: BaseChatModel) -> bool:
    """LangChain's default counts by another model's tokenizer, which it would have to download."""
    kind = type(model)
    own = any(getattr(kind, name) is not getattr(BaseLanguageModel, name) for name in _COUNTERS)
    return own or model.custom_get_token_ids is not None


def _longest(model: BaseChatModel) -> str:
    """The name by which the model declares that it takes the bound of an answer; "" where it does not."""
    kind = type(model)
    taken = set(kind.model_fields)
    for function in (kind._generate, kind._stream, kind._agenerate, kind._astream):
        taken.update(inspect.signature(function).parameters)
    return next((name for name in _LONGEST if name in taken), "")


def _takes_anything(model: BaseChatModel) -> bool:
    """Whether parameters that are not declared reach the model at all."""
    parameters = inspect.signature(type(model)._generate).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise invalid(f"prompt.parameters.{name}", "it must be a whole number from 1")
    return value


def _beside(prompt: model_pb2.Prompt) -> Iterator[str]:
    """What a model reads beside the messages."""
    for offer in prompt.tools:
        yield f"{offer.name}: {offer.description}\n{offer.input_schema_json.decode('utf-8', 'replace')}"
    form = json_object(prompt.parameters_json, "prompt.parameters").get("response_format")
    if form:
        yield dumps_marked(form).decode()


def _whole(message: BaseMessage) -> str:
    """All of a message that a model may read, as one text."""
    parts: Iterable[Any] = (message.content, getattr(message, "tool_calls", None), message.additional_kwargs)
    texts = [part if isinstance(part, str) else dumps_marked(part).decode() for part in parts if part]
    return f"{message.type}: " + "\n".join(texts)
