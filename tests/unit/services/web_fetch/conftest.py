"""The service's code is found as in its own process: from its folder, whose name is none of a package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "services" / "web-fetch"))
