"""`firebreak gameday`: causes faults on a private instance and shows who noticed."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cli.output import Exit, err, fail, out, print_json, stopping

OUT = Path(".firebreak/gameday")


def gameday(
    faults: Annotated[
        list[str] | None, typer.Argument(metavar="[FAULT]...", help="Numbers, ranges (7-9) or parts of names.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="Two to five short rounds a row, as in CI: minutes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scorecard as JSON.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the faults and end.")] = False,
    folder: Annotated[Path, typer.Option("--out", help="Where scorecard.json and scorecard.html go.")] = OUT,
) -> None:
    """Cause faults for real, under load, on a private instance; show what callers and neighbours saw.

    Writes scorecard.json and scorecard.html, with the latencies plotted, to --out. Exit code 1 if anything leaked.

    Examples: firebreak gameday --short; firebreak gameday 1 7-9 "slow start"; firebreak gameday --list
    """
    # Imported here: what serves one command stays off the others' start.
    from cli.gameday.choice import UnknownFault, chosen
    from cli.gameday.faults import all_faults

    try:
        wanted = chosen(all_faults(), faults or [])
    except UnknownFault as error:
        fail(str(error), Exit.USAGE)
    if listing:
        for fault in wanted:
            if as_json:
                print_json({"number": fault.number, "name": fault.name, "expected": fault.expected})
            else:
                out.print(f"{fault.number:3d}  {escape(fault.name)}: [dim]{escape(fault.expected)}[/dim]")
        return
    from cli.gameday import page, table
    from cli.gameday.instance import ROOT
    from cli.gameday.progress import Progress
    from cli.gameday.run import run

    if not (ROOT / ".firebreak/envs").exists():
        fail(f"{ROOT} is no repository that was set up, and the day runs what is there: `make setup` first", Exit.USAGE)
    # Asked to end in any way, it leaves nothing running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with stopping():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with Progress(len(wanted)) as progress:
                day = run(wanted, short=short, logs=folder / "logs", tell=progress.tell, done=progress.done)
                card = asyncio.run(day)
            card.write(folder / "scorecard.json")
            page.write(card, folder / "scorecard.html")
        except (AssertionError, OSError) as error:
            fail(str(error), Exit.FAILED)
    if as_json:
        print_json(card.as_object())
    else:
        table.show(card)
        err.print(f"[dim]{escape(str(folder / 'scorecard.json'))}, {escape(str(folder / 'scorecard.html'))}[/dim]")
    if card.leaked:
        raise SystemExit(int(Exit.FAILED))


if __name__ == "__main__":
    typer.run(gameday)
