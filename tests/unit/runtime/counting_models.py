"""Ordinary LangChain chat models that know their tokens: a word is one."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from pydantic import Field

from tests.unit.runtime.sample_models import Scripted, ScriptedLater


class Counting(Scripted):
    """Has a tokenizer, and takes the bound of an answer."""

    max_tokens: int | None = None

    def get_token_ids(self, text: str) -> list[int]:
        return list(range(len(text.split())))


class CountingLater(Counting, ScriptedLater):
    """The same with coroutines."""


class CountingMessages(Scripted):
    """Counts messages in a way of its own, each as a hundred; takes the bound as a parameter of another name."""

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Any = None) -> int:
        return 100 * len(messages)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, max_output_tokens: Any = None, **kwargs: Any
    ) -> Any:
        return super()._generate(messages, stop, max_output_tokens=max_output_tokens, **kwargs)


class Heedless(Counting):
    """Takes a bound and does not keep to it."""

    written: int = Field(default=21)

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        usage: Any = {"input_tokens": 1, "output_tokens": self.written, "total_tokens": 1 + self.written}
        return AIMessage(content="on and on", usage_metadata=usage)


class Silent(Scripted):
    """Tells no tokens."""

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        return super()._answer(messages, stop, kwargs).model_copy(update={"usage_metadata": None})


class SilentCounting(Silent, Counting):
    """The same, but declares that it takes the bound of an answer."""


class Closed(Scripted):
    """Takes no parameter but what LangChain gives."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None) -> Any:  # type: ignore[override]
        return super()._generate(messages, stop)


counting, counting_later, counting_short = Counting(), CountingLater(), Counting(max_tokens=7)
counting_messages, plain = CountingMessages(), Scripted()
given_tokenizer = Scripted(custom_get_token_ids=lambda text: [1] * len(text.split()))
silent, silent_counting, closed = Silent(), SilentCounting(), Closed()
heedless, heedful = Heedless(), Heedless(written=20)
SEEN = (counting, counting_later, counting_short, counting_messages, plain, given_tokenizer)
