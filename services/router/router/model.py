"""A chat model that is no language model: embeddings choose tools, rules fill their arguments, and it says so plainly."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from .answer import answer, nothing_fits
from .choice import ELSEWHERE, Chosen, Plan, Similarity, plan
from .conversation import cut, last_question, outcomes, size
from .embedding import nearness
from .offers import Offer, offer

_ANY = frozenset({"any", "required"})
_FREE = frozenset({"", "auto", "none"})


class Router(BaseChatModel):
    """A chat model that is no language model: deterministic, offline, and plain about it.

    Embeddings choose which of the bound tools each clause of the last user message needs; rules fill the arguments from the
    tool's schema. Once the tools have answered, it quotes them. It looks at the last user message and what follows it only.
    """

    model_name: str = "router-1"
    similarity: Similarity = nearness

    @property
    def _llm_type(self) -> str:
        return "router"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def _resolve_model_profile(self) -> ModelProfile:
        return ModelProfile(
            name="Router (embeddings and rules, no language model)",
            max_input_tokens=100_000,
            max_output_tokens=10_000,
            text_inputs=True,
            image_inputs=False,
            text_outputs=True,
            tool_calling=True,
            tool_choice=True,
            structured_output=False,
            reasoning_output=False,
        )

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Binds tools; raises ValueError when `tool_choice` names one that is not among them."""
        bound = [convert_to_openai_tool(tool) for tool in tools]
        choice = _choice(tool_choice, [offer(tool) for tool in bound])
        return self.bind(tools=bound, tool_choice=choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,  # noqa: ARG002 - a temperature and the like mean nothing here
    ) -> ChatResult:
        message = self._reply(messages, [offer(tool) for tool in tools], tool_choice, stop)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,  # noqa: ARG002 - as above
    ) -> Iterator[ChatGenerationChunk]:
        message = self._reply(messages, [offer(tool) for tool in tools], tool_choice, stop)
        for chunk in _chunks(message):
            generation = ChatGenerationChunk(message=chunk)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=generation)
            yield generation

    def _reply(
        self, messages: Sequence[BaseMessage], offers: list[Offer], tool_choice: object, stop: list[str] | None
    ) -> AIMessage:
        question, since = last_question(messages)
        choice = _choice(tool_choice, offers)
        ended = outcomes(since)
        chosen = self._plan(question, offers, choice, again=bool(ended))
        if ended:
            message = AIMessage(content=cut(answer(ended, chosen.unmet), stop))
        elif chosen.calls:
            message = AIMessage(content="", tool_calls=_tool_calls(chosen.calls, len(messages)))
        else:
            message = AIMessage(content=cut(nothing_fits(offers), stop))
        return _finished(message, messages, self.model_name)

    def _plan(self, question: str, offers: list[Offer], choice: str, again: bool) -> Plan:
        """What the question needs. A forced choice counts once: after the tools' answers it would go round for ever."""
        forced = choice not in _FREE and not again
        if choice == "none":
            return Plan((), ())
        if forced and choice not in _ANY:
            offers = [offered for offered in offers if offered.name == choice]
        chosen = plan(question, offers, self.similarity, must=forced)
        if forced and not chosen.calls:
            raise ValueError("a tool has to be called, but its required arguments are not in the question")
        return chosen


def _choice(tool_choice: object, offers: Sequence[Offer]) -> str:
    """The tool choice as one word: "", "auto", "none", "any" or the name of an offered tool; raises ValueError for another."""
    if isinstance(tool_choice, Mapping):
        tool_choice = tool_choice.get("function", tool_choice).get("name", tool_choice.get("type"))
    if tool_choice is None or tool_choice is False:
        return ""
    if tool_choice is True:
        return "any"
    names = [offered.name for offered in offers]
    if tool_choice not in _FREE | _ANY and tool_choice not in names:
        raise ValueError(f"tool_choice names an unknown tool; bound are: {', '.join(names) or 'none'}")
    return str(tool_choice)


def _tool_calls(calls: Sequence[Chosen], turn: int) -> list[dict[str, Any]]:
    """Ids that are the same for the same conversation and differ within it."""
    return [
        {
            "name": call.name,
            "args": call.args,
            "id": f"call_{_digest([turn, place, call.name, call.args])}",
            "type": "tool_call",
        }
        for place, call in enumerate(calls)
    ]


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def _finished(message: AIMessage, messages: Sequence[BaseMessage], model_name: str) -> AIMessage:
    """The message with its usage: words and signs are counted, since there is no tokenizer to ask."""
    used = sum(size(str(given.text)) for given in messages)
    made = size(str(message.text)) + sum(size(json.dumps(call["args"])) for call in message.tool_calls)
    usage = UsageMetadata(input_tokens=used, output_tokens=made, total_tokens=used + made)
    reason = "tool_calls" if message.tool_calls else "stop"
    return message.model_copy(
        update={"usage_metadata": usage, "response_metadata": {"model_name": model_name, "finish_reason": reason}}
    )


def _chunks(message: AIMessage) -> Iterator[AIMessageChunk]:
    """The message in pieces: a word each, then each tool call, then its usage."""
    for word in re.findall(r"\s*\S+|\s+$", str(message.text)):
        yield AIMessageChunk(content=word)
    for place, call in enumerate(message.tool_calls):
        part = tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=place)
        yield AIMessageChunk(content="", tool_call_chunks=[part])
    yield AIMessageChunk(
        content="",
        usage_metadata=message.usage_metadata,
        response_metadata=message.response_metadata,
        chunk_position="last",
    )


router = Router()
# Embedded now, so that the first question does not wait for it.
router.similarity("", ELSEWHERE)
