"""The provider's chat model behind its key: LangChain's own class for it does the work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool
from pydantic import Field, PrivateAttr

from .failures import broken_off, explained
from .key import KeyFile

_KEYLESS = "no-key"


class Provider(BaseChatModel):
    """The model that `make` returns for a key. Every failure is a ServedError without the provider's text.

    Without a key it can say what it is and bind tools; the key is read for each call. Where `tells_end` is true a stream ends
    with a reason, and one without it counts as broken.
    """

    model_name: str
    key: KeyFile = Field(exclude=True, repr=False)
    make: Callable[[str], BaseChatModel] = Field(exclude=True, repr=False)
    tells_end: bool = False
    _made: tuple[str, BaseChatModel] | None = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "provider"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def _resolve_model_profile(self) -> ModelProfile | None:
        return self.make(_KEYLESS).profile

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Binds tools in the provider's own form."""
        with _explaining():
            bound = self.make(_KEYLESS).bind_tools(tools, tool_choice=cast(Any, tool_choice), **kwargs)
            return self.bind(**cast(RunnableBinding[Any, Any], bound).kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with _explaining():
            return self._current()._generate(messages, stop, run_manager, **kwargs)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with _explaining():
            return await self._current()._agenerate(messages, stop, run_manager, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        ended = not self.tells_end
        with _explaining():
            for chunk in self._current()._stream(messages, stop, run_manager, **kwargs):
                ended = ended or _is_end(chunk)
                yield chunk
        if not ended:
            raise broken_off()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        ended = not self.tells_end
        with _explaining():
            async for chunk in self._current()._astream(messages, stop, run_manager, **kwargs):
                ended = ended or _is_end(chunk)
                yield chunk
        if not ended:
            raise broken_off()

    def _current(self) -> BaseChatModel:
        """The model with the key that the file holds now; the same one as long as the key is the same."""
        key = self.key.read()
        if self._made is None or self._made[0] != key:
            self._made = (key, self.make(key))
        return self._made[1]


def _is_end(chunk: ChatGenerationChunk) -> bool:
    return "finish_reason" in {**(chunk.generation_info or {}), **chunk.message.response_metadata}


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise explained(error) from None
