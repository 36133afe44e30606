"""`firebreak journal verify`, `erase` and `retain`: the journal proved whole, and what must go from it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.journal import witness, words
from cli.journal.opening import CONFIG, AsJson, Config, Place, locate, opened, telling, writing
from cli.journal.progress import counting
from cli.output import Exit, err, fail, out, print_json

if TYPE_CHECKING:
    from gateway.adapters.journal.proof.verify import Problem, Report
    from gateway.adapters.journal.rows import Head
    from gateway.adapters.journal.store import Store

_COUNTED = 100_000
"""Rows of a person that are counted before the question; beyond it "more than" is said."""


def verify(
    heads: Annotated[str, typer.Option(help="Folder that remembers ends of chains; default: the journal's own.")] = "",
    head: Annotated[list[str] | None, typer.Option(help="WRITER:SEQ:HASH from a log or an earlier verify.")] = None,
    config: Config = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Prove the journal whole: nothing changed, left out, reordered or cut off. Exit code 1 when something is.

    It works while the gateway writes. Example: firebreak journal verify --head 3f2a9c0d11e7b645:1042:9d1f…
    """
    from gateway.adapters.journal.proof.verify import verify as check

    place = locate(config)
    given = witness.parse(head or [])
    with telling(), counting("verifying") as counter:
        # Before the rows are read: a note is never ahead of the database.
        noted = witness.noted(place.heads if not heads else place.root / heads)
        with opened(place) as store:
            ends = store.unjoined()
        report = check(place.opener(), witness.merged(noted, given), progress=counter.at)
        with opened(place) as store:
            wrong = witness.contradicted(store, given)
    _tell_verified(place, report, wrong, ends, as_json)


def erase(
    principal: Annotated[str, typer.Argument(help='As the journal names them, e.g. "user:anna".')],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Erase a person: who called and what was said goes from every call that they started or made. The calls stay.

    Example: firebreak journal erase user:anna
    """
    from gateway.adapters.journal.upkeep.erase import erase as wipe

    place = locate(config)
    with telling():
        with opened(place) as store:
            rows = _rows_of(store, principal)
        if rows and not yes:
            _ask(principal, rows)
        with counting("erasing") as counter, writing(place, "erase") as (author, store):
            erased = wipe(store, author, principal, lambda rows: counter.at(rows, 0))
    if as_json:
        print_json({"principal": principal, "rows": erased.rows})
        return
    if not erased.rows:
        out.print(f"the journal holds nothing of {escape(principal)}")
        return
    out.print(f"[green]✓[/green] erased from {words.counted(erased.rows, 'row')}, and from the files of the database")
    out.print("[dim]Exports, backups and logs are yours to clean.[/dim]")


def retain(config: Config = CONFIG, as_json: AsJson = False) -> None:
    """Apply the configured retention now; a running gateway does the same by itself, a step a minute.

    Example: firebreak journal retain
    """
    from gateway.adapters.journal.upkeep.retain import retain as step

    place = locate(config)
    with telling(), counting("applying retention") as counter, writing(place, "retain") as (author, store):
        before, steps = store.size(), 0
        while step(author, store, place.settings.retention, int(time.time() * 1_000_000)):
            counter.at(steps := steps + 1, 0)
        store.tidy()
        after = store.size()
    if as_json:
        print_json({"bytes_before": before, "bytes_after": after})
        return
    out.print(
        f"[green]✓[/green] retention is applied: the journal holds {words.size(after)}, before {words.size(before)}"
    )


def _rows_of(store: Store, principal: str) -> int:
    return sum(span.last - span.first + 1 for span in store.of_person(principal, _COUNTED))


def _ask(principal: str, rows: int) -> None:
    if not _can_ask():
        fail("erasing cannot be undone: say --yes where nobody can be asked", Exit.USAGE)
    more = "more than " if rows == _COUNTED else ""
    err.print(
        f"{more}{words.counted(rows, 'row')} of [bold]{escape(principal)}[/bold]: who called and what was said goes, for good."
    )
    if not typer.confirm("Erase?", err=True):
        fail("nothing was erased", Exit.FAILED)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _tell_verified(place: Place, report: Report, wrong: list[str], ends: dict[str, Head], as_json: bool) -> None:
    good = not report.problems and not wrong
    if as_json:
        print_json(_as_dict(report, wrong, ends) | {"whole": good})
    else:
        _show_verified(place, report, wrong, ends)
    if not good:
        raise SystemExit(int(Exit.FAILED))


def _as_dict(report: Report, wrong: list[str], ends: dict[str, Head]) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "writers": report.writers,
        "blobs": report.blobs,
        "seconds": round(report.seconds, 3),
        "problems": [
            *(
                {"kind": each.kind, "writer": each.writer, "seq": each.seq, "text": each.text}
                for each in report.problems
            ),
            *({"kind": "witness", "writer": "", "seq": 0, "text": text} for text in wrong),
        ],
        "truncated": report.truncated,
        "heads": [witness.written(writer, head) for writer, head in sorted(ends.items())],
    }


def _show_verified(place: Place, report: Report, wrong: list[str], ends: dict[str, Head]) -> None:
    for problem in report.problems:
        out.print(_problem(problem))
    for text in wrong:
        out.print(f"[red]✗ witness[/red] {escape(text)}")
    if report.truncated:
        out.print("[red]… and more: only the first are listed[/red]")
    looked = ", ".join(
        (
            words.counted(report.rows, "row"),
            words.counted(report.writers, "chain"),
            words.counted(report.blobs, "content") + " kept apart",
        )
    )
    if report.problems or wrong:
        found = len(report.problems) + len(wrong)
        out.print(
            f"[bold red]✗ not whole[/bold red]: {words.counted(found, 'problem')}; {looked}, {report.seconds:.1f} s"
        )
        out.print(
            "Put a copy of the database aside before anything else happens to it; then compare with backups and logs."
        )
        return
    out.print("[bold green]✓ whole[/bold green]: nothing was changed, left out, reordered or cut off")
    out.print(f"[dim]{looked}, {report.seconds:.1f} s, in {escape(place.name)}[/dim]")
    for writer, head in sorted(ends.items()):
        out.print(f"[dim]witness for later, to keep elsewhere: --head {witness.written(writer, head)}[/dim]")


def _problem(problem: Problem) -> str:
    where = f" {problem.writer}:{problem.seq}" if problem.writer else ""
    return f"[red]✗ {escape(problem.kind)}[/red][bold]{escape(where)}[/bold] {escape(problem.text)}"
