"""The engine in a real OPA server."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opa_client.errors import RegoParseError

from gateway.adapters.policy.bundle import ENTRY_POINT, Bundle
from gateway.adapters.policy.opa_connection import OpaConnection
from gateway.adapters.policy.problems import BundleError, Problem
from gateway.adapters.policy.sources import PREFIX, Source, namespace, sources
from gateway.adapters.policy.verify import NOBODY, Evaluate, verify
from gateway.config import Opa
from gateway.policy import PolicyError


class OpaEngine:
    """Keeps bundles in an OPA server, each revision below a name of its own (see namespace.py)."""

    name = "opa"

    def __init__(self, config: Opa, root: Path, timeout: float) -> None:
        """`timeout` bounds each decision, in seconds; `root` is where a relative token file starts."""
        self._connection = OpaConnection(config, root, timeout)

    async def load(self, bundle: Bundle) -> OpaPolicy:
        """Pushes and verifies a bundle; raises BundleError or Unreachable and leaves nothing behind then."""
        policy = OpaPolicy(bundle, self._connection)
        try:
            await self._push(bundle)
            problems = await verify(bundle, await self._at_once(policy))
            if problems:
                raise BundleError(problems)
        except BaseException:
            await policy.discard()
            raise
        return policy

    async def _at_once(self, policy: OpaPolicy) -> Evaluate:
        """Asks for all tests of a package together; only what is not true is then asked for by itself."""
        passed: set[str] = set()
        for package in {module.package for module in policy.bundle.tests}:
            with contextlib.suppress(PolicyError):
                answers = await policy.evaluate(f"data.{package}", {})
                if isinstance(answers, dict):
                    passed |= {f"data.{package}.{name}" for name, answer in answers.items() if answer is True}

        async def evaluate(rule: str, document: Mapping[str, Any]) -> object:
            return True if rule in passed else await policy.evaluate(rule, document)

        return evaluate

    async def _push(self, bundle: Bundle) -> None:
        name = namespace(bundle)
        await self._connection.put_data(name, dict(bundle.data))
        left: Sequence[Source] = sources((*bundle.modules, *bundle.tests), name)
        while left:
            refused, problems = await self._push_each(left, name)
            if len(refused) == len(left):
                raise BundleError(problems)
            left = refused

    async def _push_each(self, parts: Sequence[Source], name: str) -> tuple[list[Source], list[Problem]]:
        """Those that OPA refused: it wants a function's definition before its use, so they are tried again after the others."""
        refused, problems = [], []
        for source in parts:
            try:
                await self._connection.put_policy(_id(source, name), source.text)
            except RegoParseError as error:
                refused.append(source)
                problems += _problems(error, source, name)
        return refused, problems

    async def sweep(self, keep: Sequence[str]) -> None:
        """Takes out every revision but those to keep, what an earlier gateway left behind, and tests. Never raises."""
        kept = tuple(f"{PREFIX}{revision[:32]}/" for revision in keep)
        try:
            names = await self._connection.policies()
        except PolicyError:
            return
        stale = [name for name in names if name.startswith(PREFIX) and not name.startswith(kept)]
        tests = [name for name in names if name.startswith(kept) and name.endswith("_test")]
        await self._connection.forget([*tests, *stale])
        for name in sorted({name.partition("/")[0] for name in stale}):
            await self._connection.forget_data(name)

    async def close(self) -> None:
        await self._connection.close()


@dataclass(frozen=True, slots=True)
class OpaPolicy:
    """A bundle inside an OPA server."""

    bundle: Bundle
    connection: OpaConnection

    @property
    def namespace(self) -> str:
        return namespace(self.bundle)

    async def decide(self, document: Mapping[str, Any]) -> object:
        """The entry point's answer, None where undefined; raises PolicyError."""
        return await self.connection.ask(*self._rule(ENTRY_POINT), document)

    async def evaluate(self, rule: str, document: Mapping[str, Any]) -> object:
        """A rule's value without the haste of a decision; raises PolicyError."""
        return await self.connection.query(*self._rule(rule), document)

    async def alive(self) -> bool:
        """Whether OPA still answers with this revision: one that was restarted is empty. Raises Unreachable."""
        return await self.evaluate(ENTRY_POINT, NOBODY) is not None

    def release(self) -> None:
        """Stays in OPA until it is swept out: calls may still be asking."""

    async def discard(self) -> None:
        """Takes the revision out of OPA, as far as OPA can be reached."""
        parts = sources((*self.bundle.modules, *self.bundle.tests), self.namespace)
        await self.connection.forget([_id(source, self.namespace) for source in parts])
        await self.connection.forget_data(self.namespace)

    def _rule(self, rule: str) -> tuple[str, str]:
        package, _, name = rule.removeprefix("data.").rpartition(".")
        return f"{self.namespace}.{package}", name


def _id(source: Source, name: str) -> str:
    return f"{name}/{source.package}"


def _problems(error: RegoParseError, source: Source, name: str) -> list[Problem]:
    found = []
    for item in error.errors:
        place = item.get("location") or {}
        text = str(item.get("message", "")).replace(f".{name}", "")
        found.append(source.problem(int(place.get("row") or 0), text))
    return found or [Problem(source.files[0], 0, str(error.message))]
