"""Tries a bundle on the embedded engine before it may decide: in this process, or in one of its own that can be ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from gateway.adapters.policy.bundle import Bundle
from gateway.adapters.policy.interpreter import Interpreter
from gateway.adapters.policy.problems import BundleError, Problem, Unreachable
from gateway.adapters.policy.rego import Module, parse
from gateway.adapters.policy.verify import verify

Trial = Callable[[Bundle], Awaitable[list[Problem]]]
"""What is wrong with a bundle once it runs."""

LIMIT = 30.0
"""Seconds that a bundle's own tests may take in a process of their own."""
_NICE = 10


async def try_here(bundle: Bundle) -> list[Problem]:
    """In this process, which does nothing else for as long as a test takes."""
    interpreter = Interpreter()

    async def evaluate(rule: str, document: Mapping[str, Any]) -> object:
        return interpreter.evaluate(rule, document)

    try:
        await interpreter.load((*bundle.modules, *bundle.tests), bundle.data)
        return await verify(bundle, evaluate)
    except BundleError as error:
        return list(error.problems)
    finally:
        interpreter.end()


async def try_apart(bundle: Bundle, limit: float = LIMIT) -> list[Problem]:
    """In a process of its own: the engine lets nothing else of a process run, and calls must not wait for tests.

    What has not ended after `limit` seconds is killed, and the bundle is at fault. Raises Unreachable where no process can
    be started.
    """
    asked = orjson.dumps({"modules": _texts(bundle.modules), "tests": _texts(bundle.tests), "data": bundle.data})
    process = await _started()
    try:
        async with asyncio.timeout(limit):
            answered, _ = await process.communicate(asked)
    except TimeoutError:
        return [Problem("", 0, f"its tests did not end within {limit:g} s")]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        return [Problem("", 0, f"its tests ended the process that ran them with exit code {process.returncode}")]
    return [Problem(*found) for found in orjson.loads(answered)]


async def _started() -> asyncio.subprocess.Process:
    command = (sys.executable, "-I", "-m", __name__)
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise Unreachable(f"the tests of a bundle were not run: no process for them: {error.strerror}") from None


def _texts(modules: tuple[Module, ...]) -> dict[str, str]:
    return {module.file: module.text for module in modules}


def _modules(texts: Mapping[str, str]) -> tuple[Module, ...]:
    found = (parse(file, text) for file, text in texts.items())
    return tuple(module for module in found if isinstance(module, Module))


def main() -> None:
    """The other process: a bundle on its standard input, what is wrong with it on its standard output."""
    os.nice(_NICE)  # a change of policy waits, callers do not
    asked = orjson.loads(sys.stdin.buffer.read())
    bundle = Bundle(_modules(asked["modules"]), _modules(asked["tests"]), asked["data"], "")
    problems = asyncio.run(try_here(bundle))
    sys.stdout.buffer.write(orjson.dumps([(found.file, found.line, found.text) for found in problems]))


if __name__ == "__main__":
    main()
