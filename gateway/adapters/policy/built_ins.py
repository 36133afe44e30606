"""The built-in functions that the embedded engine may use, and the check that a bundle calls no other.

The interpreter leaves out some of OPA's built-ins, and a few that it has are silently undefined or answer differently. A rule
that calls one of those could fail open. So only these are taken, which a test compares with OPA's answers one by one.
"""

from __future__ import annotations

from gateway.adapters.policy.bundle import Bundle
from gateway.adapters.policy.problems import Problem
from gateway.adapters.policy.rego import Module

# fmt: off
TESTED = frozenset({
    "abs", "array.concat", "array.reverse", "array.slice", "base64.decode", "base64.encode", "base64.is_valid",
    "base64url.decode", "base64url.encode", "ceil", "concat", "contains", "count", "endswith", "floor", "format_int",
    "glob.match", "graph.reachable", "hex.decode", "hex.encode", "indexof", "intersection", "is_array", "is_boolean",
    "is_null", "is_number", "is_object", "is_set", "is_string", "json.filter", "json.is_valid", "json.marshal",
    "json.remove", "json.unmarshal", "lower", "max", "min", "net.cidr_contains", "numbers.range", "object.filter",
    "object.get", "object.keys", "object.remove", "object.subset", "object.union", "object.union_n", "product",
    "regex.is_valid", "regex.match", "regex.replace", "regex.split", "replace", "round", "semver.compare",
    "semver.is_valid", "sort", "split", "sprintf", "startswith", "strings.any_prefix_match", "strings.any_suffix_match",
    "strings.count", "strings.replace_n", "strings.reverse", "substring", "sum", "time.clock", "time.date", "time.now_ns",
    "time.parse_duration_ns", "time.parse_rfc3339_ns", "time.weekday", "trim", "trim_left", "trim_prefix",
    "trim_right", "trim_space", "trim_suffix", "type_name", "union", "units.parse_bytes", "walk",
})
# fmt: on
"""Names of the built-ins that behave as in OPA, but for what docs/policy-guide.md says of text beyond ASCII."""

_UNTESTED = "neither a function of this policy nor a built-in that the embedded engine takes"


def untested_calls(bundle: Bundle) -> list[Problem]:
    """Calls of anything but a tested built-in or a function of the bundle's own, by file and line."""
    modules = (*bundle.modules, *bundle.tests)
    own = {f"data.{module.package}.{rule.name}" for module in modules for rule in module.rules}
    return [
        Problem(module.file, call.line, f"{call.name} is {_UNTESTED}")
        for module in modules
        for call in module.calls
        if call.name not in TESTED and not _is_own(call.name, module, own)
    ]


def _is_own(name: str, module: Module, own: set[str]) -> bool:
    full = name if name.startswith("data.") else f"data.{module.package}.{name}"
    return any(full == rule or full.startswith(f"{rule}.") for rule in own)
