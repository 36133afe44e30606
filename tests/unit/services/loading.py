"""Runs in a service's own environment: loads its entrypoint, and prints what came with it as JSON."""

from __future__ import annotations

import importlib
import json
import sys

module, _, name = sys.argv[1].partition(":")
loaded = getattr(importlib.import_module(module), name)
platform = {"firebreak", "firebreak_runtime", "gateway"}
print(
    json.dumps(
        {
            "callable": callable(loaded) or hasattr(loaded, "invoke"),
            "firebreak": sorted(found for found in sys.modules if found.split(".")[0] in platform),
        }
    )
)
