"""A tool that says what it runs on. It is served by several environments at once, each under a name of its own."""

import json
import sys
from importlib.metadata import version

from langchain_core.tools import tool


@tool
def where() -> str:
    """Say the versions of Python, of the framework and of protobuf."""
    names = {"framework": "langchain-core", "protobuf": "protobuf", "grpc": "grpcio"}
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return json.dumps({"python": python, **{what: version(package) for what, package in names.items()}})
