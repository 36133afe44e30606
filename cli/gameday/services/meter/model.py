"""A model whose tokens are words, and that says as many as it is let."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Meter(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "meter"

    def get_token_ids(self, text: str) -> list[int]:
        return list(range(len(text.split())))

    def _generate(self, messages: Any, *_: Any, max_tokens: int = 1000, **__: Any) -> ChatResult:
        prompt = self.get_num_tokens_from_messages(messages)
        usage = {"input_tokens": prompt, "output_tokens": max_tokens, "total_tokens": prompt + max_tokens}
        message = AIMessage(content=" ".join(["word"] * max_tokens), usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


meter = Meter()
