"""Since when a policy is in force."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.adapters.telemetry.policy_age import PolicyAge


@dataclass
class Policy:
    revision: str = "a"
    error: str = ""


@dataclass
class Wall:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_policy_that_is_there_at_the_start_counts_from_then() -> None:
    wall = Wall()
    age = PolicyAge(Policy(), wall)
    wall.now = 1060.0
    assert age.report() == {"loaded": 1000.0, "error": ""}


def test_another_revision_counts_from_when_it_is_seen() -> None:
    wall, policy = Wall(), Policy()
    age = PolicyAge(policy, wall)
    wall.now, policy.revision = 1060.0, "b"
    assert age.report()["loaded"] == 1060.0
    wall.now = 1120.0
    assert age.report()["loaded"] == 1060.0


def test_files_that_are_not_in_force_leave_the_age_alone() -> None:
    wall, policy = Wall(), Policy()
    age = PolicyAge(policy, wall)
    wall.now, policy.error = 1060.0, "main.rego:3: rego_parse_error"
    assert age.report() == {"loaded": 1000.0, "error": "main.rego:3: rego_parse_error"}
