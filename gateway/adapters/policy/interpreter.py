"""One Rego interpreter in this process, and what keeps its errors from harming it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import regorus

from gateway.adapters.policy.bundle import canonical
from gateway.adapters.policy.problems import BundleError, Problem
from gateway.adapters.policy.rego import Module, explain
from gateway.adapters.policy.sources import Source, sources
from gateway.policy import PolicyError

# Read by the library at its first error: with a trace of its own it takes 50 MiB then, and a tenth of a second for each.
os.environ["RUST_LIB_BACKTRACE"] = "0"

_PASSED_ON = (KeyboardInterrupt, SystemExit, asyncio.CancelledError)


class Interpreter:
    """One regorus engine.

    It must end in the thread that made it. An exception's traceback keeps what its frames refer to, and may be collected in any
    thread; so the engine is in this object alone, and `end` lets go of it.
    """

    def __init__(self, engine: Any = None) -> None:
        """`engine` replaces the real one in tests."""
        self._engine = regorus.Engine() if engine is None else engine
        self._sources: dict[str, Source] = {}

    async def load(self, modules: Iterable[Module], data: Mapping[str, Any]) -> None:
        """Adds modules and data; raises BundleError."""
        for source in sources(modules):
            self._sources[source.package] = source
            try:
                self._engine.add_policy(source.package, source.text)
            except Exception as error:
                raise BundleError([self._explain(error)]) from None
            await asyncio.sleep(0)
        self._engine.add_data_json(orjson.dumps(data).decode())

    def evaluate(self, rule: str, document: Mapping[str, Any]) -> object:
        """A rule's value, None where undefined; raises PolicyError.

        Through JSON, never as Python objects: the engine's conversion of those crashes the process on a lone surrogate.
        """
        try:
            self._engine.set_input_json(canonical(document).decode())
            return self._engine.eval_rule(rule)
        except _PASSED_ON:
            raise
        except BaseException as error:  # a panic of the engine is no Exception
            raise PolicyError(str(self._explain(error))) from None

    def packages(self) -> list[str]:
        """The packages in it."""
        return list(self._engine.get_packages())

    def end(self) -> None:
        """Lets go of the engine; nothing is evaluated afterwards."""
        self._engine = None

    def _explain(self, error: BaseException) -> Problem:
        problem = explain(error)
        source = self._sources.get(problem.file)
        return problem if source is None else source.problem(problem.line, problem.text)
