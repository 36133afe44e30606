"""What is wrong with a folder of policies, in words for the policy author."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy import PolicyError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. `file` is relative to the policy folder; `line` counts from 1, 0 where there is none."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text}" if place else self.text


class BundleError(PolicyError):
    """The folder cannot be put in force; it stays so until a file changes."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Unreachable(PolicyError):
    """The engine itself does not answer; that says nothing about the folder."""
