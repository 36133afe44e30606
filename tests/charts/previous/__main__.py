"""Writes what the charts render to as they are now, for the next version to be compared with.

    python -m tests.charts.previous

Done once for each version, when it is released and not before, into a folder of that version, which then stays as it is.
Contents of Secrets and ConfigMaps are left out: those are random, these long, and both may change.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.charts.helpers import APPLICATIONS, Object, charts, ci, ci_values, render

HERE = Path(__file__).parent


def kept(item: Object) -> Object:
    return {key: value for key, value in item.items() if item["kind"] not in ("Secret", "ConfigMap") or key != "data"}


def main() -> None:
    version = yaml.safe_load((charts() / "gateway" / "Chart.yaml").read_text())["version"]  # all charts have the same
    folder = HERE / version
    folder.mkdir()
    for chart in APPLICATIONS:
        for file in ci(chart):
            name = file.name.removesuffix("-values.yaml")
            objects = [kept(item) for item in render(chart, ci_values(chart, name))]
            (folder / f"{chart}.{name}.yaml").write_text(yaml.safe_dump_all(objects, sort_keys=False))
            print(f"{version}: {chart} with {name}: {len(objects)} objects")


if __name__ == "__main__":
    main()
