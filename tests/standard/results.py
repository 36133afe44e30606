"""A plugin of pytest that writes down how each test of the suites ended, for the table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

RESULTS = "FIREBREAK_STANDARD_RESULTS"
_ended: dict[str, dict[str, str]] = {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """One entry a test: "passed", "skipped", "failed" or "xfailed"."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" or report.outcome != "passed":
        file, side, name = item.nodeid.split("::", 2)
        how = "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome
        why = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
        _ended[item.nodeid] = {"suite": Path(file).stem, "side": side, "name": name, "how": how, "why": str(why)}


def pytest_sessionfinish() -> None:
    Path(os.environ[RESULTS]).write_text(json.dumps(list(_ended.values())))
