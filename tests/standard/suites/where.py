"""Where the served objects are, as the command that runs the suites says in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from firebreak_runtime.remote.gateway import Gateway

ADDRESS = "FIREBREAK_STANDARD_GATEWAY"
TOKEN = "FIREBREAK_STANDARD_TOKEN_FILE"
SUFFIX = "FIREBREAK_STANDARD_SUFFIX"
"""What stands behind a service's name: which of the frameworks it runs on."""


def target(name: str) -> str:
    return name + os.environ[SUFFIX]


def door() -> Gateway:
    return Gateway(os.environ[ADDRESS], Path(os.environ[TOKEN]))


DOOR = door()
