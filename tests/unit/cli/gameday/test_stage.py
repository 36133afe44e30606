"""What an instance needs that several faults share."""

from __future__ import annotations

from typing import cast

from cli.gameday.fault import Setting
from cli.gameday.instance import PrivateInstance
from cli.gameday.stage import together


def test_one_instance_has_what_each_needs_once() -> None:
    prepared: list[str] = []

    def prepare(_instance: PrivateInstance) -> None:
        prepared.append("once")

    settings = [
        Setting(("havoc",), prepare=prepare),
        Setting(("havoc", "flaky"), envs={"flaky": "sql"}, prepare=prepare),
        Setting(("silent",)),
    ]
    made = together(settings)
    assert made.services == ("havoc", "flaky", "silent")
    assert made.envs == {"flaky": "sql"}
    assert made.prepare is not None
    made.prepare(cast(PrivateInstance, None))
    assert prepared == ["once"]
