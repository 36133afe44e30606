"""What a service may be called, and what its Python objects are called after it."""

from __future__ import annotations

import builtins
import keyword
import re
from enum import StrEnum

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
_VERSION = re.compile(r"\d+(\.\d+){1,3}", re.ASCII)

_TAKEN = {
    "addresses": "of a file beside the services' own in .firebreak/run",
    "egress": "of the proxy by which services reach other hosts",
    "gateway": "of the gateway itself",
    "generator": "of the environment that generates code",
    "runtime": "of the host that every service runs in",
}


class NewKind(StrEnum):
    """What can be made."""

    TOOL = "tool"
    AGENT = "agent"
    MODEL = "model"


def why_not(name: str) -> str:
    """Why nothing can have this name, or ""."""
    if _NAME.fullmatch(name) is None:
        return f"{name!r} is no name for a service: small letters, digits and dashes, a letter first, at most 63 in all"
    return f"{name} is the name {_TAKEN[name]}" if name in _TAKEN else ""


def why_no_version(version: str) -> str:
    """Why this is no version of LangChain to pin, or ""."""
    return "" if _VERSION.fullmatch(version) else f"{version!r} is no version of LangChain; write it like 1.4.7"


def is_classic(version: str | None) -> bool:
    """Whether agents of this LangChain are made with an AgentExecutor: create_agent came with 1.0."""
    return version is not None and version.startswith("0.")


def object_name(name: str, kind: NewKind) -> str:
    """The variable or function that holds the service's object."""
    plain = name.replace("-", "_")
    # Python's own words, and "tool", which the module imports.
    taken = keyword.iskeyword(plain) or hasattr(builtins, plain) or plain == "tool"
    return f"{plain}_{kind}" if taken else plain


def class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-")) + "Model"
