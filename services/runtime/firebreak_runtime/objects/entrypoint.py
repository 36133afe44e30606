"""Finding the object that service.yaml names."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from firebreak_runtime.errors import LoadError
from firebreak_runtime.service_file import ServiceFile


@dataclass(frozen=True)
class Entrypoint:
    """The object, the module that it was found in, and its name "module:object"."""

    name: str
    module: ModuleType
    value: Any

    def description(self) -> str:
        """What the module says of itself: the first paragraph of its docstring."""
        return first_paragraph(self.module.__doc__)


def find(service: ServiceFile) -> Entrypoint:
    """Imports the entrypoint, the service's folder first on the path.

    Raises LoadError where the module has no such object, and whatever the import raises.
    """
    folder = str(service.folder.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = service.entrypoint.partition(":")
    module = import_module(module_name)
    try:
        return Entrypoint(service.entrypoint, module, getattr(module, attribute))
    except AttributeError:
        raise LoadError(f"entrypoint {service.entrypoint}: the module {module_name} has no {attribute!r}") from None


def expect(entrypoint: Entrypoint, kind: type, wanted: str) -> None:
    """Raises LoadError unless the object is a `kind`; `wanted` says in words what it should be."""
    if isinstance(entrypoint.value, kind):
        return
    is_class = isinstance(entrypoint.value, type) and issubclass(entrypoint.value, kind)
    found = f"the class {entrypoint.value.__qualname__} itself" if is_class else _words(entrypoint.value)
    raise LoadError(f"entrypoint {entrypoint.name} is {found}; the service needs {wanted}")


def first_paragraph(text: str | None) -> str:
    """The first paragraph of a docstring on one line; "" where there is none."""
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _words(value: Any) -> str:
    if inspect.isfunction(value):
        return f"the function {value.__qualname__}"
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    return f"a {type(value).__module__}.{type(value).__qualname__}"
