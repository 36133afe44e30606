"""Services that not every installation has: their tests run where the environment is there."""

from __future__ import annotations

import os

import pytest

from tests.unit.services.environments import ROOT


def needs(service: str) -> pytest.MarkDecorator:
    """Skips where the service's environment is missing, unless everything is required to be there."""
    missing = not (ROOT / ".firebreak" / "envs" / service / "bin" / "python").exists()
    reason = f"run python3 scripts/setup.py service {service}"
    return pytest.mark.skipif(missing and os.environ.get("FIREBREAK_TOOLS") != "required", reason=reason)
