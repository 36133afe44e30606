"""Every condition of the shipped rules is in force: take one away, and one of the policy's own tests fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.adapters.policy.bundle import read_bundle
from gateway.adapters.policy.interpreter import Interpreter
from gateway.adapters.policy.problems import BundleError
from gateway.adapters.policy.rego import Module, parse
from gateway.policy import PolicyError
from tests.unit.gateway.adapters.policy.folders import SHIPPED

BUNDLE = read_bundle(SHIPPED)
WITHOUT_WORDS = ("reasons.rego", "shortfall.rego")
"""Files that only find words for a denial."""

NO_DIFFERENCE = {
    'input.call.action != "describe"',  # without arguments the next condition fails anyway
    "is_string(value)",  # a list is as long as it is, however it is counted
    "count(value) < 2 * least",  # these only save time
    "count(value) > most",
    "count(value) <= 2 * most",
    r"regex.match(`[\x{10000}-\x{10FFFF}]`, value)",
    "count(values) > 0",  # nothing has no minimum anyway
}


def mutants() -> Iterator[tuple[str, tuple[Module, ...]]]:
    """The rules with one condition taken away, and where it was."""
    for module in BUNDLE.modules:
        lines = module.text.splitlines()
        for index, line in enumerate(lines):
            if module.file.endswith(WITHOUT_WORDS) or not re.match(r"^\t+[^#}\s]", line):
                continue
            if line.endswith(("{", ",", "[")) or ":=" in line or line.strip() in NO_DIFFERENCE:
                continue
            changed = parse(module.file, "\n".join([*lines[:index], "", *lines[index + 1 :]]))
            if isinstance(changed, Module):
                others = tuple(other for other in BUNDLE.modules if other is not module)
                yield f"{module.file}:{index + 1}: {line.strip()}", (changed, *others)


async def passes(rules: tuple[Module, ...]) -> bool:
    """Whether all tests of the shipped policy hold with these rules; those of the first rules are looked at first."""
    own = rules[0].file.replace(".rego", "_test.rego")
    interpreter = Interpreter()
    try:
        await interpreter.load((*rules, *BUNDLE.tests), BUNDLE.data)
        return all(
            interpreter.evaluate(f"data.{module.package}.{test.name}", {}) is True
            for module in sorted(BUNDLE.tests, key=lambda module: module.file != own)
            for test in module.tests
        )
    except (PolicyError, BundleError):
        return False
    finally:
        interpreter.end()


async def test_no_condition_can_be_taken_away():
    assert await passes(BUNDLE.modules)
    tried = dict(mutants())
    assert len(tried) > 30
    assert [place for place, rules in tried.items() if await passes(rules)] == []
