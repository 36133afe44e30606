"""The model behind its key, with a hand-written model in the provider's place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from firebreak_runtime.errors import ServedError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from services.provider.provider.chat import Provider
from services.provider.provider.key import KeyFile


class Theirs(BaseChatModel):
    """Answers with its key; streams it in two pieces, with an end or without one."""

    key: str
    end: bool = True

    @property
    def _llm_type(self) -> str:
        return "theirs"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        if self.key == "bad":
            raise ValueError(f"nobody knows {self.key}")
        return ChatResult(generations=[ChatGeneration(message=AIMessage(f"{self.key} {sorted(kwargs)}"))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content=self.key))
        info = {"finish_reason": "stop"} if self.end else None
        yield ChatGenerationChunk(message=AIMessageChunk(content="!"), generation_info=info)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk


def provider(folder: Path, end: bool = True, tells_end: bool = True) -> tuple[Provider, list[str], Path]:
    """The model, the keys that it made models with so far, and the key's file."""
    file, made = folder / "key", []
    file.write_text("first")

    def make(key: str) -> BaseChatModel:
        made.append(key)
        return Theirs(key=key, end=end)

    model = Provider(model_name="theirs:m", key=KeyFile(file), make=make, tells_end=tells_end)
    made.clear()
    return model, made, file


def test_a_model_is_made_once_for_each_key(tmp_path: Path) -> None:
    model, made, file = provider(tmp_path)
    assert [model.invoke("x", top_p=1).text for _ in range(2)] == ["first ['top_p']"] * 2
    file.write_text("second")
    assert model.invoke("x").text.startswith("second")
    assert made == ["first", "second"]


async def test_a_stream_that_tells_its_end_is_whole(tmp_path: Path) -> None:
    model, _, _ = provider(tmp_path)
    assert "".join(chunk.text for chunk in model.stream("x")) == "first!"
    assert "".join([chunk.text async for chunk in model.astream("x")]) == "first!"


async def test_one_that_does_not_is_broken_off(tmp_path: Path) -> None:
    model, _, _ = provider(tmp_path, end=False)
    with pytest.raises(ServedError, match="broke off"):
        list(model.stream("x"))
    with pytest.raises(ServedError, match="broke off"):
        [chunk async for chunk in model.astream("x")]


async def test_where_ends_are_not_told_none_is_missed(tmp_path: Path) -> None:
    model, _, _ = provider(tmp_path, end=False, tells_end=False)
    assert "".join(chunk.text for chunk in model.stream("x")) == "first!"
    assert "".join([chunk.text async for chunk in model.astream("x")]) == "first!"


async def test_a_failure_is_plain(tmp_path: Path) -> None:
    model, _, file = provider(tmp_path)
    file.write_text("bad")
    for call in (model.invoke, model.ainvoke):
        with pytest.raises(ServedError) as caught:
            await result if hasattr(result := call("x"), "__await__") else None
        assert caught.value.reason == "MODEL_FAILED"
        assert "nobody knows" not in caught.value.message


def test_nothing_that_it_shows_of_itself_holds_the_key(tmp_path: Path) -> None:
    model, _, _ = provider(tmp_path)
    model.invoke("x")
    assert "first" not in f"{model!r} {model.model_dump()} {model._identifying_params} {model.to_json()}"
