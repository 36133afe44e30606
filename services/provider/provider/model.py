"""A provider's language model, or any server that speaks like one: service.yaml names it, and the file that holds its key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from firebreak_runtime.errors import LoadError
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from .chat import Provider
from .key import KeyFile
from .settings import MODEL, read_settings

_SETTINGS = read_settings(os.environ, Path(__file__).parents[1])
_KEY = KeyFile(_SETTINGS.key_file)
_SPEAKS_LIKE_OPENAI = "langchain_openai"


def _make(key: str) -> BaseChatModel:
    """The model with this key. It never repeats a request by itself: the gateway does, from a budget."""
    where: dict[str, Any] = {} if _SETTINGS.base_url is None else {"base_url": _SETTINGS.base_url}
    model: BaseChatModel = init_chat_model(_SETTINGS.model, api_key=key, max_retries=0, **where)
    if hasattr(model, "stream_usage"):  # left out otherwise where the address is not the provider's own
        model.stream_usage = True
    return model


def _provider() -> Provider:
    """Raises LoadError where the name is wrong or the key is missing, and ImportError where the provider's package is."""
    _KEY.check()
    try:
        kind = type(_make("no-key"))
    except ValueError:
        raise LoadError(f'env.{MODEL} names no model that LangChain knows: write "PROVIDER:MODEL"') from None
    return Provider(
        model_name=_SETTINGS.model,
        key=_KEY,
        make=_make,
        tells_end=kind.__module__.startswith(_SPEAKS_LIKE_OPENAI),
    )


provider = _provider()
