"""The chat model: a conversation in, an answer out, token by token."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool
from pydantic import ConfigDict

from .conversation import Encoder, prompt
from .engine import Engine
from .sampling import read_sampling
from .stops import Stops

ANSWER = 256
"""Tokens of an answer where the caller does not say."""


@dataclass
class _Progress:
    """How far an answer came."""

    used: int
    made: int = 0
    reason: str = "length"

    def usage(self) -> UsageMetadata:
        return UsageMetadata(input_tokens=self.used, output_tokens=self.made, total_tokens=self.used + self.made)


class SmolLM(BaseChatModel):
    """A small language model: it writes short texts in English, knows little, and may be wrong. It cannot call tools.

    `context` bounds prompt and answer together, in tokens.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model_name: str = "smollm2-135m-instruct"
    context: int = 2048
    tokens: Encoder
    engine: Engine

    @property
    def _llm_type(self) -> str:
        return "smollm"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def _resolve_model_profile(self) -> ModelProfile:
        return ModelProfile(
            name="SmolLM2 135M Instruct",
            max_input_tokens=self.context - 1,
            max_output_tokens=self.context,
            text_inputs=True,
            image_inputs=False,
            text_outputs=True,
            tool_calling=False,
            structured_output=False,
            reasoning_output=False,
        )

    def get_token_ids(self, text: str) -> list[int]:
        """The model's own tokens, those that it reads."""
        return self.tokens.encode(text)

    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
    ) -> int:
        """The length of the whole prompt that these messages become; raises ValueError for tools."""
        if tools:
            raise ValueError("this model cannot call tools")
        return len(prompt(messages, self.tokens))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain's signature
        **kwargs: Any,
    ) -> ChatResult:
        progress, pieces = self._answer(messages, stop, kwargs)
        text = "".join(pieces)
        message = AIMessage(content=text, usage_metadata=progress.usage(), response_metadata=self._about(progress))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        progress, pieces = self._answer(messages, stop, kwargs)
        for piece in pieces:
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        last = AIMessageChunk(
            content="",
            usage_metadata=progress.usage(),
            response_metadata=self._about(progress),
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last)

    def _about(self, progress: _Progress) -> dict[str, Any]:
        return {"model_name": self.model_name, "finish_reason": progress.reason}

    def _answer(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, parameters: dict[str, Any]
    ) -> tuple[_Progress, Iterator[str]]:
        """The answer's pieces, computed as they are taken, and what is known of it by then. Raises ValueError."""
        sampling, wanted = read_sampling(parameters)
        numbers = prompt(messages, self.tokens)
        room = self.context - len(numbers)
        if room < 1:
            raise ValueError(f"the prompt has {len(numbers)} tokens; at most {self.context - 1} fit, shorten it")
        most = min(room, ANSWER if wanted is None else wanted)
        progress = _Progress(used=len(numbers))

        def pieces() -> Iterator[str]:
            stops, decoder = Stops(stop or ()), codecs.getincrementaldecoder("utf-8")("replace")
            while progress.made < most and progress.reason == "length":
                token = self.engine.next(numbers, sampling)
                progress.made += 1
                numbers.append(token.id)
                shown = stops.take(decoder.decode(token.data))
                if token.ends or stops.found:
                    progress.reason = "stop"
                if shown:
                    yield shown
            if not stops.found and (rest := stops.take(decoder.decode(b"", final=True)) + stops.rest()):
                yield rest

        return progress, pieces()
