"""Values as YAML that Helm reads as it was meant, with comments that say what to edit."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

ENDLESS = 10**6
"""Width at which YAML breaks no line."""

# Text here, but a number or a truth to the YAML of Go, which Helm reads with.
_OTHER_THAN_TEXT = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|0[oO][0-7]+|[yYnN]")


class ChartError(Exception):
    """No values can be made; nothing was written. The text says why and what to do."""


@dataclass(frozen=True)
class Section:
    """One key of a values file; `comment` stands above it, a line for each of its lines."""

    key: str
    value: Any
    comment: str = ""


def as_dict(sections: Sequence[Section]) -> dict[str, Any]:
    return {section.key: section.value for section in sections}


def as_text(sections: Sequence[Section]) -> str:
    """The sections as YAML, in their order, with an empty line between two."""
    return "\n".join(_comment(section.comment) + _dump({section.key: section.value}) for section in sections)


def nested(key: str, sections: Sequence[Section], comment: str = "") -> str:
    """The sections below `key`, as the umbrella chart hands them to a chart of its own."""
    return f"{_comment(comment)}{key}:\n{textwrap.indent(as_text(sections), '  ')}"


def own(kept: Mapping[str, Any], derived: frozenset[str]) -> list[Section]:
    """What somebody set in a values file beside what is `derived`: it stays."""
    return [Section(key, value) for key, value in kept.items() if key not in derived]


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())


def _dump(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=ENDLESS)
    return text


class _Dumper(yaml.SafeDumper):
    """Lists are indented, texts of several lines are blocks, and nothing refers to something else."""

    def ignore_aliases(self, _: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def analyze_scalar(self, scalar: str) -> Any:
        # Rego is indented by tabs, which a block may hold: but for one at its very beginning, where spaces are counted.
        blank = scalar.replace("\t", " ") if "\n" in scalar and not scalar.startswith("\t") else scalar
        analysis = super().analyze_scalar(blank)
        analysis.scalar = scalar
        return analysis


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if text.strip() and "\n" in text else '"' if _OTHER_THAN_TEXT.fullmatch(text) or not text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
