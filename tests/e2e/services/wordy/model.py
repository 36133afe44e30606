"""A model whose tokens are words: it says "word" as often as it may, and never ends where it is asked to wait."""

import threading

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class Wordy(BaseChatModel):
    max_tokens: int = 50

    @property
    def _llm_type(self):
        return "wordy"

    def get_token_ids(self, text):
        return list(range(len(text.split())))

    def _generate(self, messages, stop=None, run_manager=None, max_tokens=None, **kwargs):
        if messages[-1].content == "wait":
            threading.Event().wait()
        count, prompt = max_tokens or self.max_tokens, self.get_num_tokens_from_messages(messages)
        usage = {"input_tokens": prompt, "output_tokens": count, "total_tokens": prompt + count}
        return ChatResult(
            generations=[ChatGeneration(message=AIMessage(content=" ".join(["word"] * count), usage_metadata=usage))]
        )


wordy = Wordy()
