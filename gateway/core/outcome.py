"""What one attempt says about the health of its target."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """IGNORED says nothing about the target: the caller cancelled, lost patience, or asked for something impossible."""

    SUCCESS = "success"
    FAILURE = "failure"
    IGNORED = "ignored"
