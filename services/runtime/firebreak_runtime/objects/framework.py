"""What software a service really runs, read from its own environment."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from firebreak.v1 import payload_pb2

_PACKAGES = ("langchain", "langgraph", "langchain-core")
"""Named by the first that is installed: the others come with it."""


def framework() -> payload_pb2.Framework:
    """Package and versions, from the installed distributions; nothing is imported."""
    package, found = next(((name, v) for name in _PACKAGES if (v := _version(name))), ("langchain-core", ""))
    return payload_pb2.Framework(
        package=package, version=found, python=platform.python_version(), core_version=_version("langchain-core")
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
