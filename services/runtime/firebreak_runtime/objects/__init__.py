"""The objects that services serve, one module for each kind. Nothing of LangChain is imported before `load`."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from firebreak_runtime.errors import LoadError
from firebreak_runtime.served import Served
from firebreak_runtime.service_file import ServiceFile

KINDS = ("tool", "agent", "model", "retriever", "embedding")


class _Kind(Protocol):
    def load(self, service: ServiceFile) -> Served: ...


def load(service: ServiceFile) -> Served:
    """Imports the entrypoint and checks that it is what the service's kind says.

    Raises LoadError where it is not, and whatever the import itself raises.
    """
    if service.kind not in KINDS:
        raise LoadError(f"kind {service.kind!r} is none of {', '.join(KINDS)}")
    return cast(_Kind, import_module(f"{__name__}.{service.kind}")).load(service)
