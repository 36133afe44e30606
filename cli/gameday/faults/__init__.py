"""The faults of the list, a module for each group. A module is found by being here: it has FAULTS."""

from __future__ import annotations

import importlib
import pkgutil

from cli.gameday.fault import Fault


def all_faults() -> tuple[Fault, ...]:
    """Every row, by number."""
    found: list[Fault] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").FAULTS
    return tuple(sorted(found, key=lambda fault: fault.number))
