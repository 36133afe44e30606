"""The scorecard on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.gameday.progress import COLOURS
from cli.gameday.scorecard import GOALS, Row, Scorecard
from cli.gameday.verdict import Verdict
from cli.output import out, print_table

NARROWEST = 132
"""Columns without which the names of codes would be broken up."""
COLUMNS = ("answer", "over", "p50", "p99", "ratio", "recovery", "lost", "unrec.")


def show(card: Scorecard) -> None:
    """Prints the rows, what is wrong with those that leaked, and the numbers to reach."""
    Console(highlight=False, width=max(out.width, NARROWEST)).print(_rows(card))
    for row in card.rows:
        for problem in row.problems:
            out.print(f"\n[red]{row.number} {escape(row.name)}:[/red] {escape(problem)}")
        if row.verdict is Verdict.NOT_RUN:
            out.print(f"\n[yellow]{row.number} {escape(row.name)} was not run:[/yellow] {escape('; '.join(row.notes))}")
    out.print("\nLatencies are in ms: neighbours' p50 and p99 without the fault / with it.")
    out.print()
    _numbers(card)
    counts = {verdict: card.count(verdict) for verdict in Verdict}
    words = [f"[{COLOURS[verdict]}]{count} {verdict}[/]" for verdict, count in counts.items() if count]
    out.print("\n" + ", ".join(words))


def _rows(card: Scorecard) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("fault", overflow="fold", max_width=34)
    table.add_column("verdict", no_wrap=True)
    table.add_column("the caller saw", overflow="fold", max_width=46)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in card.rows:
        verdict = f"[{COLOURS[row.verdict]}]{row.verdict}[/]"
        table.add_row(str(row.number), escape(row.name), verdict, escape(row.saw), *_figures(row))
    return table


def _figures(row: Row) -> list[str]:
    found = [_number(row.answer_ms), _number(row.deadline_over_ms)]
    if row.comparison is None:
        found += ["-", "-", "-"]
    else:
        quiet, loud = row.comparison.undisturbed, row.comparison.disturbed
        found += [f"{quiet.p50:.1f}/{loud.p50:.1f}", f"{quiet.p99:.1f}/{loud.p99:.1f}", f"{row.comparison.ratio:.2f}"]
    return [*found, _number(row.recovery_ms), str(row.lost), str(row.unrecorded)]


def _numbers(card: Scorecard) -> None:
    summary = card.summary()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("to reach", "goal", "measured"):
        table.add_column(column, justify="left" if column == "to reach" else "right", no_wrap=True)
    for name, goal in GOALS.items():
        value = summary[name]
        bound = f"{'≥' if goal.least else '≤'} {goal.bound:g} {goal.unit}".strip()
        if value is None:
            table.add_row(goal.title, bound, "[dim]-[/dim]")
        else:
            colour = "green" if goal.met(value) else "red"
            table.add_row(goal.title, bound, f"[{colour}]{value:.3g} {goal.unit}[/]".replace(" [/]", "[/]"))
    print_table(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
