"""The private instance that tests use: that of the game day, with a test's failures as it words them."""

from __future__ import annotations

from cli.gameday.instance import ROOT, START, PrivateInstance, free_port, wait_for

__all__ = ["ROOT", "START", "Instance", "free_port", "wait_for"]

Instance = PrivateInstance
