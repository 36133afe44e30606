"""The next token: llama.cpp, asked for one at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Protocol, runtime_checkable

from .sampling import Sampling

REPEAT_PENALTY = 1.1
"""Makes what was just said less likely: a model as small as this goes round in circles otherwise."""


@dataclass(frozen=True)
class Token:
    """One token: its number and its bytes, which may be a part of a character. The one that `ends` the answer has none."""

    id: int = -1
    data: bytes = b""
    ends: bool = False


@runtime_checkable
class Engine(Protocol):
    """What computes the next token."""

    def next(self, numbers: Sequence[int], sampling: Sampling) -> Token:
        """The token after `numbers`."""
        ...


class LlamaEngine:
    """llama.cpp in this process, started with the first question: it has threads, which a forked worker would lose.

    It is asked for one token at a time. What it computed for the tokens before stays with it, so that this costs little, and an
    answer that is read slowly, or not to its end, is computed no further than it is read.
    """

    def __init__(self, weights: Path, context: int, marks: frozenset[int]) -> None:
        self._weights, self._context, self._marks = weights, context, marks
        self._starting = Lock()
        self._ask: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def next(self, numbers: Sequence[int], sampling: Sampling) -> Token:
        """Raises RuntimeError where llama.cpp refuses."""
        # Each token gets a seed of its own: with the same one, every token would be drawn by the same number.
        drawn = asdict(sampling) | {"seed": (sampling.seed + len(numbers)) % 2**31}
        one = {"n_predict": 1, "n_probs": 1, "cache_prompt": True, "repeat_penalty": REPEAT_PENALTY}
        answer = self._started()({"prompt": list(numbers), **one, **drawn})
        if "error" in answer:
            raise RuntimeError(f"llama.cpp refuses: {answer['error'].get('message')}")
        choice = answer["choices"][0]
        if choice["finish_reason"] == "stop":
            return Token(ends=True)
        made = choice["logprobs"]["content"][0]
        return Token(made["id"], b"" if made["id"] in self._marks else bytes(made["bytes"]))

    def _started(self) -> Callable[[dict[str, Any]], dict[str, Any]]:
        with self._starting:
            if self._ask is None:
                self._ask = _start(self._weights, self._context).handle_completions
            return self._ask


def _start(weights: Path, context: int) -> Any:
    """The engine. It insists on a socket of its own: nobody can reach that one, since its name is gone before this returns."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx, params.n_parallel = context, 1
    # One thread: several spin while they wait for each other, which is slower wherever other services want the cores too.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http, params.ui, params.warmup, params.fit_params = 1, False, False, False
    params.cache_ram_mib, params.verbosity = 0, -1
    params.api_keys = [secrets.token_hex(32)]
    with TemporaryDirectory(prefix="smollm-") as folder:
        params.hostnames = [f"{folder}/engine.sock"]
        return xllamacpp.Server(params)
