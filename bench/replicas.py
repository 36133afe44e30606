"""What gateways cost as the chart runs them, and how many calls replicas of them answer: `python -m bench.replicas`.

Gateways with the chart's configuration (tokens, no sandbox, its admission) answer calls of eight callers with a service behind
them that answers at once, and with the real Redis, PostgreSQL and OPA beside them; everything is on loopback and ends with this
program. The tables are Markdown. Measure on a quiet machine: on a busy one a call took twice the CPU, and the column "others"
says how busy it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import bearing, cost, fleet, footprint, saturation
from bench.findings import Findings, as_json, as_text
from bench.load import CallFailed
from bench.programs import ProgramMissing
from bench.shapes import FULL, SHAPES, SHARED, Shape

EXAMPLE = """\
example:
  python -m bench.replicas --seconds 5 --shape plain --shape everything
"""
REPLICAS = 2


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.replicas",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=_seconds, default=2.0, help="how long each figure is measured (default 2)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables, in seconds and bytes")
    parser.add_argument(
        "--shape",
        action="append",
        choices=[shape.name for shape in SHAPES],
        help="only the CPU of these; again for more",
    )
    options = parser.parse_args()
    shapes = [shape for shape in SHAPES if options.shape is None or shape.name in options.shape]
    try:
        findings = measure(shapes, options.seconds)
    except ProgramMissing as error:
        parser.exit(2, f"{error}\n")
    except CallFailed as error:
        parser.exit(1, f"a call failed; on a busy machine they do, so measure again when it is quiet: {error}\n")
    print(json.dumps(as_json(findings), indent=2) if options.json else as_text(findings))


def _seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) <= 60:
        raise argparse.ArgumentTypeError("more than 0 and at most 60")
    return seconds


def measure(shapes: Sequence[Shape], seconds: float) -> Findings:
    """All figures, the CPU of `shapes`, each for so many seconds. Raises ProgramMissing."""
    with tempfile.TemporaryDirectory(prefix="fb-") as folder, fleet.running(Path(folder)) as running:
        with running.gateways(shapes) as gateways:
            costs = asyncio.run(cost.measure(running, gateways, seconds))
        with running.gateways([SHARED] * REPLICAS) as gateways:
            ramps = [
                asyncio.run(saturation.ramp(running, gateways[:number], seconds)) for number in range(1, REPLICAS + 1)
            ]
        with running.gateways([FULL]) as (gateway,):
            memory = asyncio.run(footprint.measure(running, gateway))
        redis = asyncio.run(bearing.redis(running, seconds))
        rows = {mode: bearing.rows(running, mode, seconds) for mode in ("best-effort", "required")}
        return Findings(costs, ramps, memory, redis, rows)


if __name__ == "__main__":
    main()
