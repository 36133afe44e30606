"""SmolLM2: a small language model that writes short English texts without a network, and may be wrong. It calls no tools."""

from __future__ import annotations

from .chat import SmolLM
from .engine import LlamaEngine
from .tokens import Tokens
from .weights import read_vocabulary, weights

CONTEXT = 2048
_WEIGHTS = weights()
_VOCABULARY = read_vocabulary(_WEIGHTS)

smollm = SmolLM(context=CONTEXT, tokens=Tokens(_VOCABULARY), engine=LlamaEngine(_WEIGHTS, CONTEXT, _VOCABULARY.marks))
