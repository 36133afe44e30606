"""Ordinary LangChain objects, as people write them: nothing here knows Firebreak."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, Tool, ToolException, tool
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tests.unit.runtime.sample_models import asks_in_text, broken, formatting, mute, scripted, scripted_later, telling

__all__ = ["asks_in_text", "broken", "formatting", "mute", "scripted", "scripted_later", "telling"]

not_a_tool = {"name": "not a tool"}


@tool
def add(a: int, b: int = 3) -> str:
    """Adds two numbers."""
    return str(a + b)


@tool
async def add_later(a: int, b: int = 3) -> str:
    """Adds two numbers, on an event loop."""
    return str(a + b)


@tool
def fails(how: str) -> str:
    """Fails in the way it is asked to."""
    if how == "told":
        raise ToolException("say please")
    if how == "inner validation":
        Point(x="secret value")  # type: ignore[arg-type]
    if how == "memory":
        raise MemoryError
    raise RuntimeError("the password is hunter2")


@tool(response_format="content_and_artifact")
def look_up(words: str) -> tuple[str, list[Document]]:
    """Finds pages."""
    return f"about {words}", [Document(id="d1", page_content="a page", metadata={"line": 7})]


@tool(response_format="content_and_artifact")
def odd_artifact(words: str) -> tuple[str, object]:
    """Hands over what no wire carries."""
    return words, object()


@tool
def for_user(item: str, user: Annotated[str, InjectedToolArg]) -> str:
    """Orders an item."""
    return f"{item} for {user}"


@tool
def with_call_id(text: str, call: Annotated[str, InjectedToolCallId]) -> str:
    """Says which call it runs for."""
    return f"{text} in {call}"


@tool
def reports(steps: int) -> str:
    """Reports while it runs."""
    for step in range(steps):
        dispatch_custom_event("step", {"done": step})
    return "all done"


@tool
async def reports_later(steps: int) -> str:
    """Reports while it runs on an event loop."""
    for step in range(steps):
        await adispatch_custom_event("step", {"done": step})
    return "all done"


ended: list[str] = []


@tool
async def reports_and_waits(text: str) -> str:
    """Reports, then waits for its end."""
    try:
        await adispatch_custom_event("waiting", text)
        await asyncio.Event().wait()
    finally:
        ended.append(text)
    return text


class Point(BaseModel):
    x: int


@tool(response_format="content_and_artifact")
def measures(x: int) -> tuple[str, Point]:
    """Hands over a point."""
    return "measured", Point(x=x)


class Place(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    at: Point = Field(alias="At")


@tool(response_format="content_and_artifact")
def locates(x: int) -> tuple[str, Place]:
    """Hands over what has another name in the schema of its author."""
    return "located", Place(at=Point(x=x))


@tool(response_format="content_and_artifact")
def raw_artifact(words: str) -> tuple[str, bytes]:
    """Hands over bytes."""
    return words, b"\x00"


@tool(response_format="content_and_artifact")
def untold_artifact(words: str):  # type: ignore[no-untyped-def]
    """Says nothing of what it hands over."""
    return words, {"words": words}


@tool(response_format="content_and_artifact")
def large_artifact(size: int) -> tuple[str, bytes]:
    """Hands over as much as it is asked for."""
    return "large", b"x" * size


@tool
def returns(what: str) -> Any:
    """Returns something other than a text."""
    values: dict[str, Any] = {
        "text": "text",
        "number": 7,
        "nothing": None,
        "object": {"a": [1, 2.5]},
        "tuple": (1, "two"),
        "bytes": b"\x00",
        "documents": [Document(page_content="page", metadata={"n": 1})],
        "message": HumanMessage("hi", id="m"),
        "blocks": [{"type": "text", "text": "block"}],
        "own": ToolMessage("own", tool_call_id="mine", id="m"),
        "model": Point(x=1),
        "handle": object(),
        "surrogate": "\ud800",
        "largest": "x" * (8 * 1024**2 - 2),
        "too large": "x" * (8 * 1024**2 - 1),
    }
    return values[what]


class CheckedArgs(BaseModel):
    code: str = Field(description="Some code.")

    @field_validator("code")
    @classmethod
    def _short(cls, value: str) -> str:
        if len(value) > 5:
            raise ValueError(f"{value} is too long")
        return value


class Checked(BaseTool):
    name: str = "checked"
    description: str = "Takes short code."
    args_schema: Any = CheckedArgs

    def _run(self, code: str) -> str:
        return code


AWKWARD = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("self", "config", "run_manager", "runtime")},
}


class Reserved(BaseTool):
    """Its arguments have the names that LangChain uses itself."""

    name: str = "reserved"
    description: str = "Takes awkward names."
    args_schema: Any = AWKWARD

    def _run(self, /, **kwargs: Any) -> str:
        return ",".join(f"{name}={kwargs[name]}" for name in sorted(kwargs))


class OnlyLater(BaseTool):
    name: str = "only_later"
    description: str = "Has a coroutine alone."

    def _run(self, text: str) -> str:
        raise RuntimeError("use the coroutine")

    async def _arun(self, text: str) -> str:
        return text[::-1]


class Handled(BaseTool):
    name: str = "handled"
    description: str = "Answers its own errors."
    handle_tool_error: Any = "it went wrong, try 'b'"

    def _run(self, text: str) -> str:
        raise ToolException("inner text")


checked = Checked()
reserved = Reserved()
only_later = OnlyLater()
handled = Handled()
classic = Tool.from_function(lambda text: text.upper(), "shout", "Shouts a text.")


@tool
def picture(name: str) -> Any:
    """Answers with content blocks."""
    return [{"type": "text", "text": name}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]


class Words(BaseRetriever):
    """Finds documents with a word."""

    limit: int = 2

    def _get_relevant_documents(self, query: str, *, run_manager: Any, limit: int | None = None) -> list[Document]:
        return [Document(page_content=f"{query} {n}", metadata={"n": n}) for n in range(limit or self.limit)]


class WordsLater(Words):
    async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [Document(page_content=f"later {query}")]


class Lengths(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.0] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [float(len(text)), 1.0]


class LengthsLater(Lengths):
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 2.0] for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        return [float(len(text)), 3.0]


class TooFew(Lengths):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return []


words, words_later, lengths, lengths_later, too_few = Words(), WordsLater(), Lengths(), LengthsLater(), TooFew()


def _echo(given: dict[str, Any]) -> str:
    return f"{given['input']} after {len(given['chat_history'])}"


echo = RunnableLambda(_echo)


def build_from_model(model: Any, tools: list[Any]) -> Any:
    """An agent that is a model.

    Only the first paragraph describes it.
    """
    return model


def build_nothing(model: Any, tools: list[Any]) -> Any:
    return "no agent"


def takes_three(model: Any, tools: list[Any], more: Any) -> Any:
    return more
