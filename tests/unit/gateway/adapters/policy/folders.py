"""Small policy folders, and calls to decide about."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).resolve().parents[5] / "policies"

DECISION = """
package firebreak.main

default decision := {"allow": false, "reasons": [{"rule": "friends", "message": "Not a friend."}], "obligations": {}}

decision := {"allow": true, "reasons": [{"rule": "friends", "message": "A friend."}], "obligations": {}} if {
	input.principal.id in data.friends
}
"""

TEST = """
package firebreak.main_test

import data.firebreak.main

test_friends if {
	main.decision.allow with input as {"principal": {"id": "user:bob"}} with data.friends as ["user:bob"]
}
"""

SMALL = {
    "firebreak/main/decision.rego": DECISION,
    "firebreak/main/decision_test.rego": TEST,
    "data/friends.yaml": "friends: [user:ada]\n",
}
"""A whole policy: only friends may call."""


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Writes files below `root`, making folders."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def small(root: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """The small policy, with files added or replaced or, where the text is None, left out."""
    files = {**SMALL, **(changes or {})}
    return write(root, {name: text for name, text in files.items() if text is not None})


def shipped(root: Path, grants: str | None = None, roles: str | None = None) -> Path:
    """The policy that Firebreak ships; where other data are given, with few of its tests and none of those of its data."""
    shutil.copytree(SHIPPED, root, dirs_exist_ok=True)
    if grants is not None:
        for name in ("data", "arguments", "grants", "delegation", "obligations"):
            (root / f"firebreak/main/{name}_test.rego").unlink()
        (root / "data/grants.yaml").write_text(grants)
        (root / "data/roles.yaml").write_text(roles or "roles: {}\n")
    return root


def call(*chain: str, target: str = "tool", action: str = "call", **parts: Any) -> dict[str, Any]:
    """The policy input of a call that the last of `chain` makes."""
    return {
        "call": {
            "id": "0" * 32,
            "method": "/firebreak.v1.ToolService/Call",
            "action": action,
            "depth": len(chain) - 1,
            "parent": None if len(chain) == 1 else "1" * 32,
        },
        "principal": {"id": chain[-1], "issuer": "https://issuer.test", "service": None, "claims": {}},
        "session": {"id": "2" * 32, "chain": list(chain)},
        "target": {"name": target, "kind": "tool", "effect": "READ"},
        "args": {},
        "prompt": None,
        **parts,
    }
