"""Checks a policy folder as the gateway would before putting it in force: `python -m gateway.adapters.policy [FOLDER]`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.adapters.policy.bundle import read_bundle
from gateway.adapters.policy.embedded import EmbeddedEngine
from gateway.policy import PolicyError


async def check(folder: Path) -> str:
    """One line about a sound folder; raises PolicyError with what is wrong."""
    bundle = read_bundle(folder)
    await EmbeddedEngine().load(bundle)
    tests = sum(len(module.tests) for module in bundle.tests)
    return f"{folder}: sound, {len(bundle.modules)} files of rules, {tests} tests pass, revision {bundle.revision}"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) > 1:
        print("usage: python -m gateway.adapters.policy [FOLDER]", file=sys.stderr)
        return 2
    try:
        print(asyncio.run(check(Path(arguments[0] if arguments else "policies"))))
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
