"""Runs in the provider's own environment: asks the real model class, and prints what came back as JSON.

asking.py BASE_URL KEY_FILE [NAME=VALUE of the environment]…
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= {
    "PROVIDER_MODEL": "openai:gpt-4.1-mini",
    "PROVIDER_BASE_URL": sys.argv[1],
    "PROVIDER_API_KEY_FILE": sys.argv[2],
}

os.environ |= dict(setting.split("=", 1) for setting in sys.argv[3:])

from firebreak_runtime.errors import ServedError
from provider.model import provider

KEY_FILE = Path(sys.argv[2])
FAILURES = ("400", "401", "403", "404", "413", "429", "500", "503", "too long", "no json")
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def seen(message: Any) -> dict[str, Any]:
    return {
        "text": message.text,
        "calls": [[call["name"], call["args"]] for call in message.tool_calls],
        "usage": message.usage_metadata,
        "reason": message.response_metadata.get("finish_reason"),
    }


def refused(error: ServedError) -> dict[str, Any]:
    return {"reason": error.reason, "message": error.message, "metadata": error.metadata}


def outcome(action: Callable[[], Any]) -> dict[str, Any]:
    try:
        return seen(action())
    except ServedError as error:
        return refused(error)


async def async_outcome(action: Awaitable[Any]) -> dict[str, Any]:
    try:
        return seen(await action)
    except ServedError as error:
        return refused(error)


def streamed(wish: str, model: Any = provider) -> Any:
    chunks = list(model.stream(wish))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


async def astreamed(wish: str) -> Any:
    whole = None
    async for chunk in provider.astream(wish):
        whole = chunk if whole is None else whole + chunk
    return whole


async def cancelled() -> bool:
    """Cancels a call in the middle; whether the cancellation arrived as such."""
    running = asyncio.ensure_future(provider.ainvoke("slow"))
    await asyncio.wait({running}, timeout=0.5)
    running.cancel()
    await asyncio.wait({running})
    return running.cancelled()


async def asynchronous() -> dict[str, Any]:
    return {
        "invoke": await async_outcome(provider.ainvoke("hello")),
        "stream": await async_outcome(astreamed("hello")),
        "cut": await async_outcome(astreamed("cut")),
        "429": await async_outcome(provider.ainvoke("429")),
        "stream 429": await async_outcome(astreamed("429")),
        "cancelled": await cancelled(),
    }


bound = provider.bind_tools([TOOL], tool_choice="any")
report: dict[str, Any] = {
    "threads": len(list(Path("/proc/self/task").iterdir())),
    "profile": provider.profile,
    "shown": f"{provider!r} {provider._identifying_params}",
    "invoke": outcome(lambda: provider.invoke("hello", max_tokens=77, temperature=0.5, stop=["x"])),
    "stream": outcome(lambda: streamed("hello")),
    "tool": outcome(lambda: bound.invoke("tool")),
    "stream tool": outcome(lambda: streamed("tool", bound)),
    "cut": outcome(lambda: streamed("cut")),
    "error inside": outcome(lambda: streamed("error inside")),
    "failures": {wish: outcome(partial(provider.invoke, wish)) for wish in FAILURES},
    "stream failures": {wish: outcome(partial(streamed, wish)) for wish in FAILURES},
    "async": asyncio.run(asynchronous()),
}
right = KEY_FILE.read_text()
KEY_FILE.write_text("sk-wrong-one")
report["wrong key"] = outcome(lambda: provider.invoke("hello"))
KEY_FILE.unlink()
report["no key"] = outcome(lambda: provider.invoke("hello"))
KEY_FILE.write_text(right)
report["key again"] = outcome(lambda: provider.invoke("hello"))
print(json.dumps(report))
