"""Random grants, roles and calls over few names, so that they meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.gateway.adapters.policy.folders import call

PRINCIPALS = ["user:ada", "user:bob", "team:x", "service:a", "service:b"]
ROLES = ["one", "two", "three"]
TARGETS = ["tool", "other"]
KEYS = ["x", "y"]
METHODS = [
    "firebreak.v1.ToolService/Call",
    "firebreak.v1.ToolService/*",
    "firebreak.v1.ToolService/Cal",
    "acme.Orders/*",
]

names = st.sampled_from(PRINCIPALS)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 2.5]), st.sampled_from(["", "a", "ab", "é𝄞"])
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from(KEYS), scalars, max_size=2))


def some(options: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=options)


constraints = some(
    {
        "optional": st.booleans(),
        "type": st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null"]),
        "values": st.lists(scalars, min_size=1, max_size=3, unique_by=repr),
        "minimum": st.integers(-2, 2),
        "maximum": st.integers(-2, 2),
        "min_length": st.integers(0, 3),
        "max_length": st.integers(0, 3),
        "pattern": st.sampled_from(["a*", "a|ab", ".", "[^a]*"]),
        "forbidden_text": st.sampled_from([["A"], ["b", "z"]]),
        "each": some({"max_length": st.integers(0, 2), "type": st.sampled_from(["string", "null"])}),
    }
)
keys = st.lists(st.sampled_from(KEYS), unique=True, max_size=2)
argument_parts = some(
    {
        "required": keys,
        "forbidden": keys,
        "only": keys,
        "fields": st.dictionaries(st.sampled_from(KEYS), constraints, max_size=2),
    }
)
actions = st.sampled_from([["describe", "call"], ["call", "describe"], ["call"], ["describe"], []])
plain = st.fixed_dictionaries({"roles": st.lists(st.sampled_from(ROLES), unique=True, min_size=1), "actions": actions})
bound = some(
    {
        "effects": st.lists(st.sampled_from(["READ", "MUTATING"]), unique=True),
        "via": st.lists(names, unique=True),
        "methods": st.lists(st.sampled_from(METHODS), unique=True),
        "limits": some({"timeout_ms": st.integers(1, 5), "response_bytes": st.integers(1, 5)}),
        "args": argument_parts,
    }
)
passed_on = st.fixed_dictionaries({"via": st.lists(names, unique=True)})
grants = st.one_of(plain, st.builds(lambda one, other: {**one, **other}, plain, st.one_of(bound, passed_on)))
role = st.one_of(
    st.just({"principals": PRINCIPALS}),
    some(
        {
            "principals": st.lists(names, min_size=2),
            "prefixes": st.sampled_from([["team:"], ["user:"], ["user:", "service:"]]),
        }
    ),
)
data = st.fixed_dictionaries(
    {
        "roles": st.fixed_dictionaries({}, optional=dict.fromkeys(ROLES, role)),
        "grants": st.dictionaries(
            st.sampled_from(TARGETS), st.dictionaries(st.sampled_from("abc"), grants, min_size=1), min_size=1
        ),
    }
)
chains = st.lists(names, min_size=1, max_size=3)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    arguments = draw(st.one_of(st.none(), st.dictionaries(st.sampled_from(KEYS), values, max_size=2)))
    target = draw(st.sampled_from([*TARGETS, "tool"]))
    return call(
        *draw(chains), target=target, action=draw(st.sampled_from(["call", "call", "describe"])), args=arguments
    )


def longer(document: dict[str, Any], principal: str, place: int) -> dict[str, Any]:
    """The same call with one principal more on its chain; at the end, that one makes the call."""
    chain = list(document["session"]["chain"])
    chain.insert(place, principal)
    return {
        **document,
        "session": {"id": "2" * 32, "chain": chain},
        "principal": {**document["principal"], "id": chain[-1]},
    }
